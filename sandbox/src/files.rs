//! `wasi:filesystem` for a guest: the folders it was granted, and a refusal that says which path it
//! wanted beside them.
//!
//! A guest without folders would give up before it asked the host anything, and nobody would learn
//! what it lacked. So every guest finds an empty folder at its root: what it looks for there is what
//! it was not granted. That it cannot leave a folder, by `..` or a symbolic link, is wasmtime-wasi's
//! doing.

use std::path::{Path, PathBuf};

use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::{
    FsPerms, WasiCtxBuilder, WasiView,
    filesystem::WasiFilesystemView,
    p2::{
        FsResult,
        bindings::filesystem::types::{
            Descriptor, DescriptorFlags, DescriptorStat, ErrorCode, HostDescriptor,
            MetadataHashValue, OpenFlags, PathFlags,
        },
    },
};

use super::{grants::Grants, state::State};

/// The interface as wasmtime-wasi links it, which some of its functions are replaced in.
const TYPES: &str = "wasi:filesystem/types@0.2.12";

/// Where a guest finds the empty folder.
const ROOT: &str = "/";

/// The empty folder that stands at the root of every guest.
#[derive(Debug, Clone)]
pub(crate) struct EmptyFolder(PathBuf);

impl EmptyFolder {
    /// Makes it at `path`, or takes the one that is there.
    pub(crate) fn at(path: PathBuf) -> std::io::Result<Self> {
        std::fs::create_dir_all(&path)?;
        if std::fs::read_dir(&path)?.next().is_some() {
            return Err(std::io::Error::other(format!("{} is not empty", path.display())));
        }
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

/// Opens what `grants` names.
pub(crate) fn open(
    wasi: &mut WasiCtxBuilder,
    empty: &EmptyFolder,
    grants: &Grants,
) -> wasmtime::Result<()> {
    for folder in &grants.folders {
        let perms = if folder.is_writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        wasi.preopened_dir(&folder.host, &folder.guest, perms)?;
    }
    // Who was granted the root itself needs no other.
    if !grants.folders.iter().any(|folder| matches!(&*folder.guest, "/" | ".")) {
        wasi.preopened_dir(empty.path(), ROOT, FsPerms::ReadOnly)?;
    }
    Ok(())
}

/// What a guest wanted with a path.
#[derive(Clone, Copy)]
enum Wish {
    Read,
    Write,
}

/// Puts functions that take note of refusals in the place of those that open paths.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store, (folder, at, path, how, flags): (_, PathFlags, String, OpenFlags, DescriptorFlags)| {
            Box::new(async move {
                let state: &mut State = store.data_mut();
                let is_write = how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
                    || flags.intersects(DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY);
                let wish = if is_write { Wish::Write } else { Wish::Read };
                let folder: Resource<Descriptor> = folder;
                let (again, wanted) = (Resource::new_borrow(folder.rep()), path.clone());
                let opened = state.filesystem().open_at(folder, at, path, how, flags).await;
                state.noted(opened, again, &wanted, wish).await
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.stat-at",
        |mut store, (folder, at, path): (Resource<Descriptor>, PathFlags, String)| {
            Box::new(async move {
                let state: &mut State = store.data_mut();
                let (again, wanted) = (Resource::new_borrow(folder.rep()), path.clone());
                let stat = state.filesystem().stat_at(folder, at, path).await;
                let stat: Result<(Result<DescriptorStat, ErrorCode>,), _> =
                    state.noted(stat, again, &wanted, Wish::Read).await;
                stat
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.create-directory-at",
        |mut store, (folder, path): (Resource<Descriptor>, String)| {
            Box::new(async move {
                let state: &mut State = store.data_mut();
                let (again, wanted) = (Resource::new_borrow(folder.rep()), path.clone());
                let made = state.filesystem().create_directory_at(folder, path).await;
                state.noted(made, again, &wanted, Wish::Write).await
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

impl State {
    /// `outcome` for the guest; if it is a refusal for want of a permission, that is noted.
    async fn noted<T>(
        &mut self,
        outcome: FsResult<T>,
        folder: Resource<Descriptor>,
        path: &str,
        wish: Wish,
    ) -> wasmtime::Result<(Result<T, ErrorCode>,)> {
        let code = match outcome {
            Ok(value) => return Ok((Ok(value),)),
            Err(error) => error.downcast()?,
        };
        let path = path.trim_start_matches('/');
        let is_at_root = matches!(code, ErrorCode::NoEntry | ErrorCode::NotPermitted)
            && self.is_root(folder).await;
        match (is_at_root, wish) {
            (true, Wish::Read) => self.denials.add(&format!("reading /{path}"), "read"),
            (true, Wish::Write) => self.denials.add(&format!("writing /{path}"), "write"),
            (false, Wish::Write) if matches!(code, ErrorCode::NotPermitted) => {
                self.denials.add(&format!("writing {path} in a folder that is only read"), "write");
            }
            (false, _) if matches!(code, ErrorCode::NotPermitted) => {
                self.denials
                    .add(&format!("reading {path}, which leads out of its folder,"), "read");
            }
            (false, _) => {}
        }
        Ok((Err(code),))
    }

    /// Whether `folder` is the empty one at the root.
    async fn is_root(&mut self, folder: Resource<Descriptor>) -> bool {
        let same =
            |a: &MetadataHashValue, b: &MetadataHashValue| (a.lower, a.upper) == (b.lower, b.upper);
        let Ok(hash) = self.filesystem().metadata_hash(folder).await else { return false };
        let Some(root) = self.root_hash().await else { return false };
        same(&hash, &root)
    }

    async fn root_hash(&mut self) -> Option<MetadataHashValue> {
        use wasmtime_wasi::p2::bindings::filesystem::preopens::Host;

        let folders = self.filesystem().get_directories().ok()?;
        let mut root = None;
        for (folder, name) in folders {
            if name == ROOT {
                let again = Resource::new_borrow(folder.rep());
                root = self.filesystem().metadata_hash(again).await.ok();
            }
            drop(self.ctx().table.delete(folder));
        }
        root
    }
}
