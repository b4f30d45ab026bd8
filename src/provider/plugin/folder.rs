//! What is in the plugins folder at one moment: which files there are, whose, and how they look.
//!
//! ```text
//! plugins/NAME.wasm            for everybody
//! plugins/NAME.toml            what it may do
//! plugins/NAME.disabled        keeps it out
//! plugins/users/SUB/NAME.wasm  for the user SUB alone, percent-encoded (RFC 3986 §2.1)
//! ```
//!
//! Nothing else is looked at: no other folders, no hidden files, none that an editor or a copying
//! program has under another name until it is done.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs, io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::model::{id::UserId, plugin::ActionRefused};

/// Where the folders of single users are.
pub(super) const USERS: &str = "users";
/// The ending of the file that keeps a plugin out.
pub(super) const DISABLED: &str = "disabled";
/// The longest NAME, in bytes: it is a provider's name too.
const NAME_BYTES_MAX: usize = 64;
/// Files beyond this number are not looked at.
pub(super) const FILES_MAX: usize = 20_000;

/// Whose plugin, and which.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub user: Option<UserId>,
    pub name: Box<str>,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Looks {
    modified: (i64, i64),
    changed: (i64, i64),
    device: u64,
    inode: u64,
    size: u64,
}

/// The look of a plugin: its file and its NAME.toml. The younger file compares greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Signature {
    wasm: Looks,
    manifest: Option<Looks>,
    pub is_disabled: bool,
}

impl Signature {
    /// Whether the files have been let alone for `age`, by the clock of their file system.
    pub(super) fn is_older_than(&self, age: Duration, now: SystemTime) -> bool {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let is_old = |looks: &Looks| {
            let changed = u64::try_from(looks.changed.0).unwrap_or_default();
            Duration::from_secs(changed) + age < since
        };
        is_old(&self.wasm) && self.manifest.as_ref().is_none_or(is_old)
    }
}

/// One plugin file that is there.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub signature: Signature,
    pub wasm: PathBuf,
    pub manifest: PathBuf,
}

/// The folder at one moment.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub found: BTreeMap<Place, Found>,
    /// The folders that were looked into, to be watched.
    pub folders: Vec<PathBuf>,
    /// Sentences about files that cannot be plugins as they are.
    pub oddities: BTreeSet<String>,
}

/// Looks at `root`. A folder that is not there is one without files.
pub(super) fn scan(root: &Path) -> Scan {
    let mut scan = Scan::default();
    scan.folder(root, None);
    let users = root.join(USERS);
    if let Ok(entries) = fs::read_dir(&users) {
        scan.folders.push(users);
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            match user_of(&entry.file_name()) {
                Ok(user) => scan.folder(&entry.path(), Some(&user)),
                Err(why) => {
                    scan.oddities.insert(format!("{}: {why}", entry.path().display()));
                }
            }
        }
    }
    scan
}

/// What is not written as it is in a folder's name: all but what RFC 3986 leaves unreserved, and `@`.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// Whose folder it is, or a sentence. Of several spellings one is taken, so that no user has two.
fn user_of(name: &OsStr) -> Result<UserId, String> {
    let text = name.to_string_lossy();
    let user = percent_decode_str(&text).decode_utf8().ok();
    let user = user.as_deref().and_then(UserId::parse);
    let user = user.ok_or("the folder's name is no percent-encoded user")?;
    let spelling = utf8_percent_encode(user.as_str(), ENCODED).to_string();
    if spelling == text && !spelling.starts_with('.') {
        Ok(user)
    } else {
        Err(format!("the folder of the user {user} would be called {spelling}"))
    }
}

impl Scan {
    fn folder(&mut self, folder: &Path, user: Option<&UserId>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        self.folders.push(folder.to_owned());
        for entry in entries.flatten() {
            let path = entry.path();
            let Some(name) = name_of(&path) else { continue };
            if self.found.len() == FILES_MAX {
                self.oddities
                    .insert(format!("more than {FILES_MAX} plugins: the rest is left out"));
                return;
            }
            if !is_name(&name) {
                self.oddities.insert(format!(
                    "{}: a plugin's name has 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 _ . -",
                    path.display()
                ));
                continue;
            }
            // Followed, so that a symbolic link is the file it leads to.
            let Ok(metadata) = fs::metadata(&path) else {
                self.oddities.insert(format!("{}: leads to nothing", path.display()));
                continue;
            };
            if !metadata.is_file() {
                self.oddities.insert(format!("{}: is no file", path.display()));
                continue;
            }
            let manifest = path.with_extension("toml");
            let manifest_looks = fs::metadata(&manifest).ok().map(|metadata| Looks::of(&metadata));
            let is_disabled = fs::symlink_metadata(path.with_extension(DISABLED)).is_ok();
            let signature =
                Signature { wasm: Looks::of(&metadata), manifest: manifest_looks, is_disabled };
            let place = Place { user: user.cloned(), name };
            self.found.insert(place, Found { signature, wasm: path, manifest });
        }
    }
}

/// NAME, if the file is called NAME.wasm and not hidden.
fn name_of(path: &Path) -> Option<Box<str>> {
    let is_wasm = path.extension() == Some(OsStr::new("wasm"));
    let name = path.file_stem()?.to_string_lossy();
    (is_wasm && !name.starts_with('.')).then(|| name.into())
}

fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    name.len() <= NAME_BYTES_MAX && name.bytes().all(legal)
}

impl Looks {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
        }
    }
}

/// Puts the mark at `path` that keeps a plugin out, or takes it away. One that is there already is left
/// as it is, whatever it is: it may hold somebody's reason.
pub(super) fn mark(path: &Path, is_disabled: bool) -> Result<(), ActionRefused> {
    let (verb, done, as_it_is) = if is_disabled {
        // Made new or not at all: neither is a link followed nor a pipe opened.
        let made = fs::File::options().write(true).create_new(true).open(path).map(drop);
        ("written", made, io::ErrorKind::AlreadyExists)
    } else {
        ("removed", fs::remove_file(path), io::ErrorKind::NotFound)
    };
    match done {
        Err(error) if error.kind() != as_it_is => {
            Err(ActionRefused::Unwritable { verb, file: path.display().to_string(), error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error("{path}: {error}", path = .path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{path} has {size} bytes; the limit is {max} ({bound})", path = .path.display())]
    TooLarge { path: PathBuf, size: u64, max: u64, bound: &'static str },
    #[error("{path} is no file", path = .0.display())]
    NoFile(PathBuf),
    #[error("{path} changed while it was read", path = .0.display())]
    Changed(PathBuf),
}

/// Reads a whole file of at most `max` bytes; `bound` is that limit's name.
pub(super) fn read(path: &Path, max: u64, bound: &'static str) -> Result<Bytes, Unread> {
    use io::Read;

    let io = |error| Unread::Io { path: path.to_owned(), error };
    // A pipe that somebody put there must not hold the hub up.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits();
    let flags = i32::try_from(nonblocking).unwrap_or_default();
    let file = fs::File::options().read(true).custom_flags(flags).open(path).map_err(io)?;
    let before = file.metadata().map_err(io)?;
    if !before.is_file() {
        return Err(Unread::NoFile(path.to_owned()));
    }
    let size = before.size();
    if size > max {
        return Err(Unread::TooLarge { path: path.to_owned(), size, max, bound });
    }
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    (&file).take(max + 1).read_to_end(&mut content).map_err(io)?;
    let after = file.metadata().map_err(io)?;
    if Looks::of(&before) != Looks::of(&after) || content.len() as u64 != size {
        return Err(Unread::Changed(path.to_owned()));
    }
    Ok(content.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(scan: &Scan) -> Vec<String> {
        let name = |place: &Place| match &place.user {
            Some(user) => format!("{user}:{}", place.name),
            None => place.name.to_string(),
        };
        scan.found.keys().map(name).collect()
    }

    #[test]
    fn only_plugin_files_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        for name in [
            "a.wasm",
            "a.toml",
            "b.c.wasm",
            ".hidden.wasm",
            "#a.wasm#",
            "a.wasm~",
            "a.wasm.part",
            ".a.wasm.swp",
            "source/target/x.wasm",
            "users/alice/own.wasm",
            "users/b%40c/own.wasm",
            "users/d%2fe/own.wasm",
            "users/josé/own.wasm",
            "users/b@c/own.wasm",
            "users/d%2Fe/own.wasm",
            "users/stray.wasm",
            "users/%61lice/twice.wasm",
            "users/%zz/x.wasm",
            "bad name.wasm",
        ] {
            put(name);
        }
        symlink(folder.path().join("a.wasm"), folder.path().join("link.wasm")).unwrap();
        symlink("/nowhere/at/all", folder.path().join("dangling.wasm")).unwrap();
        symlink("/dev/zero", folder.path().join("zero.wasm")).unwrap();
        fs::create_dir(folder.path().join("folder.wasm")).unwrap();
        let scan = scan(folder.path());
        assert_eq!(names(&scan), ["a", "b.c", "link", "alice:own", "b@c:own", "d/e:own"]);
        let odd: String = scan.oddities.into_iter().collect();
        for oddity in [
            "bad name",
            "dangling",
            "zero",
            "folder.wasm",
            "%61lice",
            "%zz",
            "b%40c",
            "d%2fe",
            "josé",
        ] {
            assert!(odd.contains(oddity), "{oddity} is told of in {odd}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_empty() {
        assert!(scan(Path::new("/nowhere/at/all")).found.is_empty());
    }

    #[test]
    fn what_is_no_file_or_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wasm");
        fs::write(&file, "four").unwrap();
        assert_eq!(read(&file, 4, "plugins.file").unwrap(), "four");
        let refused = read(&file, 3, "plugins.file").unwrap_err().to_string();
        assert!(refused.ends_with("has 4 bytes; the limit is 3 (plugins.file)"), "{refused}");
        let refused = read(Path::new("/dev/zero"), 3, "plugins.file").unwrap_err().to_string();
        assert_eq!(refused, "/dev/zero is no file");
    }
}
