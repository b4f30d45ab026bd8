//! `mcp-hub plugin new`: a folder with a plugin that builds as it stands.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::cli::{failure::Failure, terminal};

const NAME_BYTES_MAX: usize = 64;

const HELP: &str = "\
The folder NAME has the source of a plugin with one tool, the contract (wit/plugin.wit), what the \
plugin may do (NAME.toml) and a README.md that says how to build it. What is already there is left \
alone.

Exit codes:
  0  the folder was written
  1  it could not be written, and nothing is left of it
  2  the command line is faulty, or there is something of that name";

#[derive(Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct NewArgs {
    /// What the plugin is called: a-z, 0-9 and -, from a letter on
    #[arg(value_parser = name)]
    name: String,
    /// What it is written in
    #[arg(long, value_enum, default_value_t = Lang::Rust)]
    lang: Lang,
    /// Where to put its folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lang {
    Rust,
    /// JavaScript
    Js,
    /// TypeScript
    Ts,
    Python,
    C,
}

pub(in crate::cli) fn run(args: &NewArgs) -> anyhow::Result<ExitCode> {
    let project = Project { name: &args.name, template: args.lang.template() };
    let folder = args.into.join(&args.name);
    let folder = folder.strip_prefix(".").unwrap_or(&folder);
    if folder.symlink_metadata().is_ok() {
        bail!(Failure::Usage(format!(
            "{} is already there; choose another name, or another place by --into",
            folder.display()
        )));
    }
    project.write(folder).with_context(|| format!("cannot write {}", folder.display()))?;
    terminal::print(&project.next_steps(folder))?;
    Ok(ExitCode::SUCCESS)
}

/// A name that serves as one of a folder, a file, a Rust crate and an npm package.
fn name(name: &str) -> Result<String, String> {
    let letters = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(letters);
    if fits && name.len() <= NAME_BYTES_MAX {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "a name is a letter of a-z, then up to {} of a-z, 0-9 and -",
            NAME_BYTES_MAX - 1
        ))
    }
}

const CHECK: &str = "mcp-hub plugin check {{component}}";
/// The settings first: what the plugin may do is then known when it is found.
const INSTALL: &str = "cp {{name}}.toml PLUGINS/\n\
                       cp {{component}} PLUGINS/{{name}}.wasm";

/// What is particular to a language.
struct Template {
    /// Where the author begins.
    source: &'static str,
    /// Whatever must be there before the commands of `build` work.
    needs: &'static str,
    build: &'static str,
    /// What `build` makes.
    component: &'static str,
    files: &'static [File],
}

/// Paths and texts have placeholders such as `{{name}}`.
struct File {
    path: &'static str,
    content: Content,
}

enum Content {
    Text(&'static str),
    Program(&'static str),
    Bytes(&'static [u8]),
}

const fn text(path: &'static str, text: &'static str) -> File {
    File { path, content: Content::Text(text) }
}

const fn program(path: &'static str, text: &'static str) -> File {
    File { path, content: Content::Program(text) }
}

const fn bytes(path: &'static str, bytes: &'static [u8]) -> File {
    File { path, content: Content::Bytes(bytes) }
}

const SHARED: &[File] = &[
    text("README.md", include_str!("templates/README.md")),
    text("{{name}}.toml", include_str!("templates/plugin.toml")),
    text("wit/plugin.wit", include_str!("../../../wit/plugin.wit")),
];

const RUST: Template = Template {
    source: "src/lib.rs",
    needs: "Rust 1.85 or newer",
    build: "rustup target add wasm32-wasip2     # once\n\
            cargo build --release --target wasm32-wasip2",
    component: "target/wasm32-wasip2/release/plugin.wasm",
    files: &[
        text(".gitignore", include_str!("templates/rust/gitignore")),
        text("Cargo.toml", include_str!("templates/rust/Cargo.toml.txt")),
        text("src/lib.rs", include_str!("templates/rust/lib.rs.txt")),
    ],
};

const JS: Template = Template {
    source: "plugin.js",
    needs: "Node.js 20 or newer",
    build: "npm install     # once\n\
            npm run build",
    component: "{{name}}.wasm",
    files: &[
        text(".gitignore", include_str!("templates/js/gitignore")),
        text("package.json", include_str!("templates/js/package.json")),
        text("plugin.js", include_str!("templates/js/plugin.js")),
    ],
};

const TS: Template = Template {
    source: "plugin.ts",
    files: &[
        text(".gitignore", include_str!("templates/ts/gitignore")),
        text("mcp-hub.d.ts", include_str!("templates/ts/mcp-hub.d.ts")),
        text("package.json", include_str!("templates/ts/package.json")),
        text("plugin.ts", include_str!("templates/ts/plugin.ts")),
        text("tsconfig.json", include_str!("templates/ts/tsconfig.json")),
    ],
    ..JS
};

const PYTHON: Template = Template {
    source: "plugin.py",
    needs: "Python 3.10 or newer (which installs what else it takes into `.venv`)",
    build: "./build",
    component: "{{name}}.wasm",
    files: &[
        text(".gitignore", include_str!("templates/python/gitignore")),
        program("build", include_str!("templates/python/build")),
        text("plugin.py", include_str!("templates/python/plugin.py")),
        text("requirements.txt", include_str!("templates/python/requirements.txt")),
    ],
};

const C: Template = Template {
    source: "plugin.c",
    needs: "Python 3.11 or newer (which installs Zig's C compiler and wasm-tools into `.venv`)",
    build: "./build",
    component: "{{name}}.wasm",
    files: &[
        text(".gitignore", include_str!("templates/c/gitignore")),
        text("bindings/provider.c", include_str!("../../../plugins/checksum/gen/provider.c")),
        text("bindings/provider.h", include_str!("../../../plugins/checksum/gen/provider.h")),
        bytes(
            "bindings/provider_component_type.o",
            include_bytes!("../../../plugins/checksum/gen/provider_component_type.o"),
        ),
        program("build", include_str!("templates/c/build")),
        text("json.h", include_str!("templates/c/json.h")),
        text("plugin.c", include_str!("templates/c/plugin.c")),
        text("requirements.txt", include_str!("templates/c/requirements.txt")),
    ],
};

impl Lang {
    fn template(self) -> &'static Template {
        match self {
            Self::Rust => &RUST,
            Self::Js => &JS,
            Self::Ts => &TS,
            Self::Python => &PYTHON,
            Self::C => &C,
        }
    }
}

struct Project<'a> {
    name: &'a str,
    template: &'static Template,
}

impl Project<'_> {
    /// Written beside its place and moved there when it is whole: a failure leaves nothing behind.
    fn write(&self, folder: &Path) -> io::Result<()> {
        let beside = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        let prefix = format!(".{}-", self.name);
        let mut half = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(beside.unwrap_or_else(|| Path::new(".")))?;
        for file in SHARED.iter().chain(self.template.files) {
            self.write_file(half.path(), file)?;
        }
        fs::rename(half.path(), folder)?;
        // It is no longer where it would be removed from.
        half.disable_cleanup(true);
        Ok(())
    }

    fn write_file(&self, folder: &Path, file: &File) -> io::Result<()> {
        let path = folder.join(self.fill(file.path));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mode = if matches!(file.content, Content::Program(_)) { 0o777 } else { 0o666 };
        let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        match file.content {
            Content::Text(text) | Content::Program(text) => {
                out.write_all(self.fill(text).as_bytes())
            }
            Content::Bytes(bytes) => out.write_all(bytes),
        }
    }

    /// From the outside in: what stands for a placeholder may have some itself.
    fn fill(&self, text: &str) -> String {
        let Template { source, needs, build, component, .. } = self.template;
        let texts = [
            ("{{check}}", CHECK),
            ("{{install}}", INSTALL),
            ("{{source}}", source),
            ("{{needs}}", needs),
            ("{{build}}", build),
            ("{{component}}", component),
            ("{{name}}", self.name),
        ];
        texts.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    fn next_steps(&self, folder: &Path) -> String {
        let folder = folder.display();
        let steps = self.fill("{{build}}\n{{check}}\n{{install}}").replace('\n', "\n  ");
        let what = "is written. Next, with PLUGINS for the hub's folder of plugins:";
        format!("{folder} {what}\n\n  cd {folder}\n  {steps}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn project(lang: Lang) -> Project<'static> {
        Project { name: "say-hello", template: lang.template() }
    }

    fn written(lang: Lang, into: &Path) -> PathBuf {
        let folder = into.join("say-hello");
        project(lang).write(&folder).unwrap();
        folder
    }

    fn refused(into: &Path) -> anyhow::Error {
        let args = NewArgs { name: "say-hello".into(), lang: Lang::C, into: into.into() };
        run(&args).unwrap_err()
    }

    /// Every file below, by its path from here.
    fn files(folder: &Path) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    found.insert(entry.path().strip_prefix(folder).unwrap().to_owned());
                }
            }
        }
        found
    }

    #[test]
    fn a_name_serves_as_folder_file_crate_and_package() {
        for good in ["a", "greet", "web-page-2", &"a".repeat(64)] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for bad in
            ["", "2a", "-a", "Greet", "a_b", "a b", "a.b", "../a", "a/b", "é", &"a".repeat(65)]
        {
            let refusal = name(bad).unwrap_err();
            assert!(refusal.contains("up to 63"), "{bad}: {refusal}");
        }
    }

    #[test]
    fn every_language_has_the_essentials() {
        for lang in Lang::value_variants() {
            let into = tempfile::tempdir().unwrap();
            let files = files(&written(*lang, into.path()));
            let source = lang.template().source;
            for path in [".gitignore", "README.md", "say-hello.toml", "wit/plugin.wit", source] {
                assert!(files.contains(Path::new(path)), "{lang:?}: no {path} in {files:?}");
            }
            let beside = fs::read_dir(into.path()).unwrap().count();
            assert_eq!(beside, 1, "{lang:?}: something lies beside the folder");
        }
    }

    #[test]
    fn no_placeholder_is_left() {
        for lang in Lang::value_variants() {
            let into = tempfile::tempdir().unwrap();
            let folder = written(*lang, into.path());
            for path in files(&folder) {
                let Ok(text) = fs::read_to_string(folder.join(&path)) else {
                    continue; // not a text
                };
                assert!(!text.contains("{{"), "{lang:?}: {}", path.display());
            }
            let steps = project(*lang).next_steps(&folder);
            assert!(!steps.contains("{{"), "{steps}");
            assert!(steps.ends_with("PLUGINS/say-hello.wasm"), "{steps}");
        }
    }

    #[test]
    fn the_settings_grant_nothing_until_they_are_uncommented() {
        let settings = project(Lang::Rust).fill(include_str!("templates/plugin.toml"));
        let read = |text: &str| text.parse::<toml::Table>().unwrap();
        let none = toml::Value::Table(toml::Table::new());
        assert_eq!(read(&settings)["permissions"], none);
        assert_eq!(read(&settings)["limits"], none);
        assert_eq!(read(&settings)["config"]["greeting"].as_str(), Some("Hello"));

        let (about, settings) = settings.split_once("\n\n").unwrap();
        assert!(about.starts_with("# What say-hello may do"));
        let granted = read(&settings.replace("\n# ", "\n"));
        let keys = |table: &str| granted[table].as_table().unwrap().keys().cloned().collect();
        let permissions: BTreeSet<_> = keys("permissions");
        assert_eq!(
            permissions,
            ["addresses", "env", "network", "read", "write"].map(Into::into).into()
        );
        let limits: BTreeSet<_> = keys("limits");
        assert_eq!(limits, ["memory", "output", "time"].map(Into::into).into());
    }

    #[test]
    fn what_is_made_of_the_contract_is_of_its_version() {
        let wit = include_str!("../../../wit/plugin.wit");
        let (_, version) = wit.split_once("package mcp-hub:plugin@").unwrap();
        let (version, _) = version.split_once(';').unwrap();
        let mut mentions = 0;
        for file in Lang::value_variants().iter().flat_map(|lang| lang.template().files) {
            let (Content::Text(text) | Content::Program(text)) = file.content else { continue };
            for interface in text.split("mcp-hub:plugin/").skip(1) {
                let (_, rest) = interface.split_once('@').expect("an interface with its version");
                assert!(rest.starts_with(version), "{}", file.path);
                mentions += 1;
            }
        }
        assert!(mentions > 5, "{mentions}");
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let into = tempfile::tempdir().unwrap();
        let folder = into.path().join("say-hello");
        fs::create_dir(&folder).unwrap();
        let error = refused(into.path());
        assert!(matches!(error.downcast_ref(), Some(Failure::Usage(_))), "{error}");
        assert!(error.to_string().contains(&folder.display().to_string()), "{error}");
        assert!(files(into.path()).is_empty());
    }

    #[test]
    fn a_failure_leaves_nothing_behind() {
        const TWICE: Template = Template { files: &[text("README.md", "again")], ..RUST };
        let into = tempfile::tempdir().unwrap();
        let project = Project { name: "say-hello", template: &TWICE };
        project.write(&into.path().join("say-hello")).unwrap_err();
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0);

        let nowhere = into.path().join("nowhere");
        let error = format!("{:#}", refused(&nowhere));
        assert!(
            error.starts_with(&format!("cannot write {}", nowhere.join("say-hello").display()))
        );
    }

    #[test]
    fn a_build_script_can_be_run_at_once() {
        use std::os::unix::fs::PermissionsExt;
        let into = tempfile::tempdir().unwrap();
        let folder = written(Lang::Python, into.path());
        let mode = |path| fs::metadata(folder.join(path)).unwrap().permissions().mode();
        assert_eq!(mode("build") & 0o111, mode("") & 0o111);
        assert_eq!(mode("plugin.py") & 0o111, 0);
    }
}
