//! Servers that do not end as they should, and what is left of them: nothing.

use std::{collections::BTreeSet, fs, fs::OpenOptions, path::Path, time::Duration};

use serde_json::json;
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;

use crate::support::{
    McpClient, PATIENCE, TestHub,
    bridge::{Bridge, guard_of, kill, processes, server_of, until_listed},
    eventually,
};

/// A server each of whose tools is bad manners.
const SERVER: &str = r#"
import json, os, signal, sys, time

folder, waiting = os.path.dirname(sys.argv[0]), []

def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()

def result(id, result):
    say(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}))

def answer(id, text):
    result(id, {"content": [{"type": "text", "text": text}]})

def linger():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)

def close_input(id):
    os.close(0)
    answer(id, "closed")
    linger()

def stop_reading(id):
    answer(id, "stopped")
    linger()

def leave_a_daemon(id):
    here, there = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(there, b"!")
            linger()
        os._exit(0)
    os.wait()
    os.read(here, 1)
    answer(id, "left")

def leave_an_orphan(id):
    here, there = os.pipe()
    if os.fork() == 0:
        orphan = os.fork()
        if orphan != 0:
            os.write(there, b"%d" % orphan)
        os._exit(0)
    os.wait()
    answer(id, os.read(here, 16).decode())

def end(id):
    os._exit(7)

def close_output(id):
    answer(id, "closed")
    os.close(1)
    while os.read(0, 4096):
        pass
    time.sleep(0.5)
    open(os.path.join(folder, "clean"), "w").close()
    os._exit(0)

def wait(id):
    waiting.append(id)

def release(id):
    answer(id, str(len(waiting)))
    while waiting:
        answer(waiting.pop(), "released")

LONG = "x" * (16 << 20)

def id_first(id):
    say('{"jsonrpc":"2.0","id":%d,"result":{"content":["%s"]}}' % (id, LONG))

def id_first_with_blanks(id):
    say('{"jsonrpc": "2.0", "id": %d, "result": {"content": ["%s"]}}' % (id, LONG))

def id_last(id):
    say('{"result":{"content":["%s"]},"jsonrpc":"2.0","id":%d}' % (LONG, id))

def id_nearly_last(id):
    say('{"result":{"content":["%s"]},"id":%d,"jsonrpc":"2.0"}' % (LONG, id))

def chatter(id):
    say('{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"%s","id":%d}}' % (LONG, id))
    answer(id, "chattered")

tools = [close_input, stop_reading, leave_a_daemon, leave_an_orphan, end, close_output, wait, release,
         id_first, id_first_with_blanks, id_last, id_nearly_last, chatter]
tools = {tool.__name__: tool for tool in tools}

for line in iter(sys.stdin.readline, ""):
    message = json.loads(line)
    id, method = message.get("id"), message["method"]
    if method == "initialize":
        result(id, {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                    "serverInfo": {"name": "unmannerly", "version": "1"}})
    elif method == "tools/list":
        result(id, {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in tools]})
    elif method == "tools/call":
        tools[message["params"]["name"]](id)
    elif id is not None:
        say(json.dumps({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no"}}))
"#;

/// The server, a bridge to it and a client whose tools are listed.
struct Scene {
    _hub: TestHub,
    bridge: Bridge,
    client: McpClient,
    folder: TempDir,
    mark: String,
}

impl Scene {
    async fn new(name: &str) -> Self {
        let (hub, folder) = (TestHub::start().await, tempdir().expect("a folder"));
        let mark = format!("{name}-{}", std::process::id());
        let script = folder.path().join("server.py");
        fs::write(&script, SERVER).expect("room");
        let script = script.to_str().expect("UTF-8");
        let bridge = Bridge::start(hub.url(), &["--", "python3", script, &mark]);
        let client = McpClient::new(&hub);
        until_listed(&client, "end", true).await;
        Self { _hub: hub, bridge, client, folder, mark }
    }

    async fn says(&self, tool: &str, expected: &str) {
        assert_eq!(self.client.call(tool, json!({})).await.said(), expected, "{tool}");
    }

    async fn nothing_is_left(&self) {
        eventually("nothing is left", || processes(&self.mark).is_empty()).await;
    }

    /// A call that cannot be answered, given up when it must long have been on its way.
    async fn call_in_vain(&self, bytes: usize) {
        let params = json!({ "name": "end", "arguments": { "long": "x".repeat(bytes) } });
        let call = self.client.modern_request("tools/call", params);
        assert!(timeout(Duration::from_millis(300), call.send()).await.is_err());
    }
}

#[tokio::test]
async fn a_server_that_has_closed_its_input_does_not_outlive_the_bridge() {
    let scene = Scene::new("closed").await;
    scene.says("close_input", "closed").await;
    scene.call_in_vain(1).await;
    scene.bridge.signal("KILL");
    scene.nothing_is_left().await;
}

#[tokio::test]
async fn a_server_that_does_not_read_does_not_outlive_the_bridge() {
    let scene = Scene::new("killed").await;
    scene.says("stop_reading", "stopped").await;
    scene.call_in_vain(300_000).await;
    scene.bridge.signal("KILL");
    scene.nothing_is_left().await;
}

#[tokio::test]
async fn a_server_that_does_not_read_and_its_daemon_end_with_the_bridge() {
    let scene = Scene::new("stuck").await;
    scene.says("leave_a_daemon", "left").await;
    scene.says("stop_reading", "stopped").await;
    scene.call_in_vain(300_000).await;
    let Scene { bridge, mark, .. } = scene;
    assert_eq!(bridge.stopped().await.0, Some(0));
    assert!(processes(&mark).is_empty(), "{:?}", processes(&mark));
}

#[tokio::test]
async fn what_leaves_the_group_ends_with_it() {
    for end in ["the bridge is killed", "the bridge is stopped", "the guard is stopped", "it ends"]
    {
        let scene = Scene::new(&end.replace(' ', "-")).await;
        scene.says("leave_a_daemon", "left").await;
        let before: BTreeSet<i32> = processes(&scene.mark).into_iter().map(|(id, _)| id).collect();
        assert_eq!(before.len(), 3, "a guard, a server and a daemon");
        match end {
            "the bridge is killed" => scene.bridge.signal("KILL"),
            "the bridge is stopped" => scene.bridge.signal("TERM"),
            "the guard is stopped" => kill("TERM", guard_of(&scene.mark)),
            _ => drop(scene.client.call("end", json!({})).await),
        }
        // In two of the cases the bridge starts others.
        let is_old = |id: &i32| before.contains(id);
        let gone = || !processes(&scene.mark).iter().any(|(id, _)| is_old(id));
        eventually(end, gone).await;
    }
}

#[tokio::test]
async fn orphans_that_have_ended_do_not_pile_up() {
    let scene = Scene::new("orphan").await;
    let orphan = scene.client.call("leave_an_orphan", json!({})).await;
    let entry = Path::new("/proc").join(orphan.said());
    eventually("it is reaped", || !entry.exists()).await;
}

#[tokio::test]
async fn a_bridge_that_is_killed_before_its_server_has_started_leaves_nothing() {
    let mark = format!("starting-{}", std::process::id());
    // A package manager, and the script that calls it.
    let download = "import sys, time; print('downloading', flush=True); time.sleep(1000)";
    let script = r#"python3 -c "$1" "$2"; echo started"#;
    let arguments = ["--", "sh", "-c", script, "sh", download, &mark];
    let mut bridge = Bridge::start("http://127.0.0.1:1", &arguments);
    bridge.log_with("downloading").await;
    assert_eq!(processes(&mark).len(), 3, "a guard, a shell and a download");
    bridge.signal("KILL");
    eventually("nothing is left", || processes(&mark).is_empty()).await;
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_the_loss_of_no_other() {
    let scene = Scene::new("long").await;
    let server = server_of(&scene.mark);
    let others = async {
        for tool in ["id_first", "id_first_with_blanks", "id_last", "id_nearly_last"] {
            let answer = timeout(PATIENCE, scene.client.call(tool, json!({}))).await;
            let answer = answer.expect("at once");
            assert_eq!(answer.result()["isError"], true, "{tool}: {answer:?}");
            let reason = "it answered with a message of more than 16777216 bytes";
            assert!(answer.said().contains(reason), "{tool}: {}", answer.said());
        }
        scene.says("chatter", "chattered").await;
        // Until the call below has come.
        while scene.client.call("release", json!({})).await.said() != "1" {}
    };
    let (waited, ()) = tokio::join!(scene.client.call("wait", json!({})), others);
    assert_eq!(waited.said(), "released");
    assert_eq!(server_of(&scene.mark), server, "the server lived on");
}

#[tokio::test]
async fn a_server_that_closes_its_output_is_let_go_and_may_end_in_peace() {
    let scene = Scene::new("hushed").await;
    scene.says("close_output", "closed").await;
    let gone = until_listed(&scene.client, "end", false);
    timeout(Duration::from_secs(2), gone).await.expect("its tools go at once");
    let clean = scene.folder.path().join("clean");
    eventually("it ended in its own way", || clean.exists()).await;
}

#[tokio::test]
async fn somebody_elses_hold_on_the_output_keeps_no_server_listed() {
    let mut scene = Scene::new("held").await;
    let server = server_of(&scene.mark);
    let hold = |output: u8| {
        let path = format!("/proc/{server}/fd/{output}");
        OpenOptions::new().write(true).open(path).expect("a pipe")
    };
    let _held = [1, 2].map(hold);
    drop(scene.client.call("end", json!({})).await);
    let lost = timeout(Duration::from_secs(4), scene.bridge.log_with("the server is lost")).await;
    let lost = lost.expect("soon");
    assert!(lost.contains("it ended: exit status: 7"), "{lost}");
}
