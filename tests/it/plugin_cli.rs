//! `mcp-hub plugin`: what an author types, and what they are told.

use std::{fs, path::Path};

use tempfile::{TempDir, tempdir};
use tokio::{process::Command, time::timeout};

use crate::support::{
    PATIENCE,
    binary::{Ended, run},
    guest::{Body, Guest, tool, typed::documented, wasi},
};

fn folder_with(name: &str, wasm: &[u8]) -> TempDir {
    let folder = tempdir().expect("a folder");
    fs::write(folder.path().join(name), wasm).expect("room");
    folder
}

async fn plugin(folder: &Path, arguments: &[&str]) -> Ended {
    run(folder, &[&["plugin"], arguments].concat(), &[]).await
}

#[tokio::test]
async fn check_tells_what_a_file_is() {
    let guest = Guest::new()
        .tool(tool("greet", Body::Text("hi".into())).description("Greets."))
        .tool(tool("fetch", wasi::fetch("example.com", "/")).description("Fetches."));
    let folder = folder_with("a.wasm", &guest.build());
    let checked = plugin(folder.path(), &["check", "a.wasm"]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    for part in [
        "mcp-hub:plugin/provider",
        "compiled in",
        "64.0 MiB of memory, 30s, 16.0 MiB of output",
        "wasi:http/outgoing-handler@0.2.6",
        "permitted   nothing",
        "network: it can send HTTP requests",
        "greet  Greets.",
    ] {
        assert!(checked.stdout.contains(part), "no {part:?} in\n{}", checked.stdout);
    }
    let granted = "[permissions]\nnetwork = ['https://example.com']\n[limits]\ntime = '7s'";
    fs::write(folder.path().join("a.toml"), granted).expect("room");
    let checked = plugin(folder.path(), &["check", "a.wasm"]).await.stdout;
    assert!(checked.contains("permitted   network https://example.com"), "{checked}");
    assert!(checked.contains("memory, 7s,") && !checked.contains("might need"), "{checked}");
}

#[tokio::test]
async fn check_tells_what_is_wrong() {
    let folder = folder_with("a.wasm", b"\0asm\x01\0\0\0");
    let checked = plugin(folder.path(), &["check", "a.wasm"]).await;
    assert_eq!(checked.code, Some(1));
    assert!(checked.stderr.contains("a.wasm is kept out: this is a core module"), "{checked:?}");
    let gone = plugin(folder.path(), &["check", "b.wasm"]).await;
    assert!(gone.code == Some(1) && gone.stderr.contains("b.wasm"), "{gone:?}");
    fs::write(folder.path().join("a.toml"), "[limit]").expect("room");
    fs::write(folder.path().join("a.wasm"), documented()).expect("room");
    let checked = plugin(folder.path(), &["check", "a.wasm"]).await;
    assert!(checked.stderr.contains("a.toml") && checked.stderr.contains("limit"), "{checked:?}");
}

#[tokio::test]
async fn call_runs_one_tool_and_tells_what_it_says_meanwhile() {
    let guest = Guest::new()
        .tool(tool("log", Body::Log("warning", "look out".into())))
        .tool(tool("steps", Body::Progress(2)))
        .tool(tool("echo", Body::Echo))
        .tool(tool("no", Body::IsError("no luck".into())))
        .tool(tool("trap", Body::Trap))
        .tool(tool("wrong", Body::Error("invalid-arguments", "a is missing".into())))
        .tool(tool(
            "ask",
            Body::InputRequired {
                requests: r#"{"w":{"method":"roots/list"}}"#.into(),
                state: None,
            },
        ));
    let folder = folder_with("a.wasm", &guest.build());
    let call = async |arguments: &[&str]| {
        let ended = plugin(folder.path(), &[&["call", "a.wasm"], arguments].concat()).await;
        (ended.code.expect("a code"), ended.stdout, ended.stderr)
    };
    let (code, stdout, stderr) = call(&["log"]).await;
    assert_eq!((code, &*stdout), (0, "logged\n"));
    assert!(stderr.contains("warning: look out"), "{stderr}");
    let (_, _, stderr) = call(&["steps"]).await;
    assert!(stderr.contains("progress 1/2 step\nprogress 2/2 step"), "{stderr}");
    assert_eq!(call(&["echo", r#"{"a": 1.50}"#]).await.1, "{\"a\": 1.50}\n");
    assert_eq!((call(&["no"]).await.0, call(&["no"]).await.1), (1, "no luck\n".into()));
    let (code, _, stderr) = call(&["trap"]).await;
    assert!(code == 4 && stderr.contains("it broke down"), "{stderr}");
    let (code, _, stderr) = call(&["wrong"]).await;
    assert!(code == 4 && stderr.contains("a is missing"), "{stderr}");
    assert_eq!(call(&["ask"]).await.0, 3);
    let (code, _, stderr) = call(&["ecko"]).await;
    assert!(code == 4 && stderr.contains("there is echo"), "{stderr}");
    assert_eq!(call(&["echo", "[1]"]).await.0, 2);
}

#[tokio::test]
async fn new_writes_a_project_for_each_language() {
    for (language, source) in [
        ("rust", "src/lib.rs"),
        ("js", "plugin.js"),
        ("ts", "plugin.ts"),
        ("python", "plugin.py"),
        ("c", "plugin.c"),
    ] {
        let folder = tempdir().expect("a folder");
        let made = plugin(folder.path(), &["new", "my-plugin", "--lang", language]).await;
        assert_eq!(made.code, Some(0), "{made:?}");
        let project = folder.path().join("my-plugin");
        for file in [source, "wit/plugin.wit", "my-plugin.toml", "README.md", ".gitignore"] {
            assert!(project.join(file).is_file(), "{language}: no {file}");
        }
        assert!(made.stdout.contains("mcp-hub plugin check"), "{}", made.stdout);
        let again = plugin(folder.path(), &["new", "my-plugin", "--lang", language]).await;
        assert!(again.code == Some(2) && again.stderr.contains("already there"), "{again:?}");
    }
}

#[tokio::test]
async fn where_address_space_is_short_plugins_still_run() {
    let folder = folder_with("a.wasm", &Guest::of("echo", Body::Echo).build());
    let line = format!(
        "ulimit -v 6000000 && exec {} plugin call a.wasm echo '{{\"a\":1}}'",
        env!("CARGO_BIN_EXE_mcp-hub")
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(folder.path());
    shell.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    let output = timeout(PATIENCE, shell.output()).await.expect("it ends").expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"a\":1}\n", "{stderr}");
}

#[tokio::test]
async fn a_cache_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder_with("a.wasm", &Guest::of("echo", Body::Echo).build());
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).expect("room");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).expect("ours");
    let environment = [("MCP_HUB_PLUGINS__CACHE", cache.to_str().expect("UTF-8"))];
    let arguments = ["plugin", "call", "a.wasm", "echo"];
    let ended = run(folder.path(), &arguments, &environment).await;
    assert!(ended.code != Some(0) && ended.stderr.contains("chmod 700"), "{ended:?}");
}
