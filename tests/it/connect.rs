//! `mcp-hub connect`: servers that other people wrote, and some that misbehave, offered to a hub.

use std::{fs, path::Path, process::Stdio};

use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::{net::TcpListener, process::Child, time::timeout};

use crate::support::{
    McpClient, PATIENCE, TestHub, TestProvider,
    binary::{Process, run},
    bridge::{
        Bridge, everything, guard_of, kill, node, odd, path, processes, server_of, until_listed,
    },
    client::Answer,
    eventually,
    hub::token,
    provider::{text, tool},
    witness::Witness,
};

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

#[tokio::test]
async fn the_official_test_server_is_used_by_official_clients() {
    let hub = TestHub::start().await;
    let bridge = Bridge::start(hub.url(), &["--", &node(), &everything()]);
    until_listed(&McpClient::new(&hub), "trigger-elicitation-request", true).await;
    let seen = Witness::node("everything.mjs").with([format!("{}/mcp", hub.url())]).testify().await;
    let seen: Value = serde_json::from_str(&seen).expect("JSON");
    for era in ["legacy", "modern"] {
        assert_eq!(seen[era]["echo"], "Echo: hello", "{seen}");
        assert_eq!(seen[era]["progress"], json!([[1, 3], [2, 3], [3, 3]]), "{seen}");
    }
    let said = |key: &str| seen["modern"][key].as_str().unwrap_or_default().to_owned();
    assert!(said("elicited").contains("Name: Ada Lovelace"), "{seen}");
    assert!(said("sampled").contains("You said: "), "{seen}");
    assert!(said("roots").contains("file:///home/ada"), "{seen}");
    assert_eq!(bridge.stopped().await.0, Some(0));
}

#[tokio::test]
async fn a_kill_of_anything_heals_and_leaves_nothing_behind() {
    let mark = format!("mark-{}", std::process::id());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let listen = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let start = ["--plugins", "/nowhere", "--listen", &listen];
    let hub = Process::start(Path::new("/tmp"), &start, &[]).await;
    let bridge = Bridge::start(hub.url(), &["--", &node(), &everything(), "stdio", &mark]);
    let client = McpClient::at(hub.url());
    let listed = async |is| until_listed(&client, "echo", is).await;
    let echoes = async || {
        listed(true).await;
        let answer = client.call("echo", json!({ "message": "hi" })).await;
        assert_eq!(answer.said(), "Echo: hi");
        assert_eq!(processes(&mark).len(), 2, "one guard and one server");
    };
    echoes().await;
    for victim in [server_of, guard_of] {
        kill("KILL", victim(&mark));
        listed(false).await;
        echoes().await;
    }
    hub.signal("KILL").await;
    hub.ended().await;
    let hub = Process::start(Path::new("/tmp"), &start, &[]).await;
    echoes().await;
    bridge.signal("KILL");
    listed(false).await;
    eventually("nothing is left", || processes(&mark).is_empty()).await;
    drop(hub);
}

#[tokio::test]
async fn a_call_in_flight_is_lost_with_its_server_and_said_to_be() {
    for (tool, said) in [("die", "It is unknown whether"), ("die_safely", "No provider")] {
        let hub = TestHub::start().await;
        let (_bridge, client) = odd(&hub, "legacy").await;
        let answer = client.call(tool, json!({})).await;
        assert_eq!(answer.result()["isError"], true);
        assert!(answer.said().contains(said), "{}", answer.said());
    }
}

#[tokio::test]
async fn a_server_that_does_not_survive_the_modern_question_is_asked_as_of_old() {
    let hub = TestHub::start().await;
    let (bridge, client) = odd(&hub, "brittle").await;
    let answer = client.call("log", json!({})).await;
    assert_eq!(answer.said(), "logged");
    let (_, log) = bridge.stopped().await;
    assert!(!log.contains("the server is lost"), "{log}");
}

#[tokio::test]
async fn a_tool_that_fails_with_an_error_is_not_run_elsewhere() {
    let hub = TestHub::start().await;
    let (first, client) = odd(&hub, "legacy").await;
    let (second, _) = odd(&hub, "legacy").await;
    eventually("both are there", || hub.hub().figures().providers == 2).await;
    for _ in 0..10 {
        let answer = client.call("fail", json!({})).await;
        assert_eq!(answer.result()["isError"], true);
        assert_eq!(answer.said(), "no such file\n{\"path\":\"x\"}");
    }
    // A tool that may run twice is tried at both.
    let answer = client.call("fail_safely", json!({})).await;
    assert_eq!(answer.said().matches("no such file").count(), 2, "{}", answer.said());
    let runs = |log: &str| log.matches("fail was run").count();
    let (first, second) = (first.stopped().await.1, second.stopped().await.1);
    assert_eq!(runs(&first) + runs(&second), 10);
}

#[tokio::test]
async fn the_last_words_of_a_server_are_heard() {
    for _ in 0..3 {
        let hub = TestHub::start().await;
        let (_bridge, client) = odd(&hub, "legacy").await;
        let answer = client.call("last", json!({})).await;
        assert!(answer.said().starts_with("xxx"), "{:.200}", answer.said());
    }
}

#[tokio::test]
async fn a_hub_that_is_frozen_does_not_keep_it_from_stopping() {
    let start = ["--plugins", "/nowhere", "--listen", "127.0.0.1:0"];
    let hub = Process::start(Path::new("/tmp"), &start, &[]).await;
    let bridge = Bridge::start(hub.url(), &["--", &node(), &path("odd-server.mjs")]);
    until_listed(&McpClient::at(hub.url()), "verbatim", true).await;
    hub.signal("STOP").await;
    assert_eq!(bridge.stopped().await.0, Some(0));
    hub.signal("KILL").await;
}

#[tokio::test]
async fn json_passes_as_it_came() {
    let hub = TestHub::start().await;
    for era in ["legacy", "modern"] {
        let (bridge, client) = odd(&hub, era).await;
        let arguments = r#"{"z":1.0,"a":[1e400,"\u00e9"],"n":123456789012345678901}"#;
        let body = client.modern_request("tools/call", json!({ "name": "verbatim" }));
        let body = body.build().expect("a request");
        let text = String::from_utf8_lossy(body.body().expect("a body").as_bytes().expect("bytes"));
        let text = text.replacen(
            r#""name":"verbatim""#,
            &format!(r#""name":"verbatim","arguments":{arguments}"#),
            1,
        );
        let request = client.modern_request("tools/call", json!({ "name": "verbatim" })).body(text);
        let answer = McpClient::send(request).await;
        let expected = format!(
            r#"{{"content":[] ,"structuredContent":{{"given":{arguments}}},"odd":[1.50,123456789012345678901234567890]"#
        );
        let expected = expected.trim_start_matches('{');
        assert!(answer.text.contains(expected), "{era}: {}", answer.text);
        drop(bridge.stopped().await);
    }
}

#[tokio::test]
async fn a_server_sees_nothing_that_is_the_bridges_own() {
    let hub = TestHub::with_users().await;
    let token = token("alice");
    let bridge =
        Bridge::with_token(hub.url(), Some(&token), &["--", &node(), &path("odd-server.mjs")]);
    let client = McpClient::of_user(&hub, "alice");
    until_listed(&client, "environment", true).await;
    assert_eq!(client.call("environment", json!({})).await.said(), "");
    drop(bridge.stopped().await);
}

#[tokio::test]
async fn a_tool_the_hub_does_not_take_keeps_out_no_other() {
    let hub = TestHub::start().await;
    let (bridge, client) = odd(&hub, "legacy").await;
    until_listed(&client, "environment", true).await;
    let (_, log) = bridge.stopped().await;
    assert!(log.contains("\"tool\":\"not a name\""), "{log}");
    assert!(log.contains("offered once, although the server has it twice"), "{log}");
    assert!(log.contains("Welcome to the odd server!"), "{log}");
}

#[tokio::test]
async fn a_change_is_heard_of_and_a_cancellation_reaches_the_server() {
    let hub = TestHub::start().await;
    for era in ["legacy", "modern"] {
        let (bridge, client) = odd(&hub, era).await;
        client.call("change", json!({})).await;
        until_listed(&client, "new", true).await;
        let stalls = client.modern_request("tools/call", json!({ "name": "stall" }));
        tokio::select! {
            answer = stalls.send() => panic!("{era}: {answer:?}"),
            () = until_listed(&client, "is_stalling", true) => {}
        }
        until_listed(&client, "was_cancelled", true).await;
        drop(bridge.stopped().await);
        until_listed(&client, "new", false).await;
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_passed_on_is_told_at_once() {
    let hub = TestHub::start().await;
    let (_bridge, client) = odd(&hub, "legacy").await;
    let answer = timeout(PATIENCE, client.call("deep", json!({}))).await.expect("at once");
    assert_eq!(answer.result()["isError"], true);
    assert!(answer.said().contains("nested deeper than 128 levels"), "{}", answer.said());
}

#[tokio::test]
async fn what_is_said_on_the_way_is_heard() {
    let hub = TestHub::start().await;
    for era in ["legacy", "modern"] {
        let (bridge, client) = odd(&hub, era).await;
        let params = json!({
            "name": "log",
            "_meta": { "progressToken": "p", "io.modelcontextprotocol/logLevel": "info" },
        });
        let mut events = McpClient::events(client.modern_request("tools/call", params)).await;
        let mut heard = Vec::new();
        while let Some(event) = events.next().await {
            heard.push(event);
        }
        // Over stdio a modern server's log says no more of its call than a legacy one's.
        let methods: Vec<_> = heard.iter().map(|event| event["method"].as_str()).collect();
        let expected = [Some("notifications/message"), Some("notifications/progress"), None];
        assert_eq!(methods, expected, "{era}: {heard:?}");
        assert_eq!(heard[0]["params"]["data"], json!({ "odd": true }));
        assert_eq!(
            heard[1]["params"],
            json!({ "progressToken": "p", "progress": 1, "total": 2.5 })
        );
        drop(bridge.stopped().await);
    }
}

async fn ask(client: &McpClient, capabilities: Value, more: Value) -> Answer {
    let mut params = more;
    params["name"] = json!("ask");
    params["_meta"] = json!({ CAPABILITIES: capabilities });
    client.modern("tools/call", params).await
}

#[tokio::test]
async fn a_question_to_the_client_comes_back_answered() {
    let hub = TestHub::start().await;
    for (era, key) in [("legacy", "q1"), ("modern", "k")] {
        let (bridge, client) = odd(&hub, era).await;
        let able = json!({ "elicitation": {} });
        let asked = ask(&client, able.clone(), json!({})).await;
        let question =
            r#"{"method":"elicitation/create","params":{"zebra":1,"message":"Name?","apple":2}}"#;
        assert!(asked.text.contains(question), "{}", asked.text);
        let state = &asked.result()["requestState"];

        // Without the answer it is asked again.
        let again =
            ask(&client, able.clone(), json!({ "requestState": state, "inputResponses": {} }));
        let state = again.await.result()["requestState"].clone();
        let response = json!({ "action": "accept", "content": { "name": "Ada" } });
        let more = json!({ "requestState": state, "inputResponses": { key: response } });
        let answer = ask(&client, able.clone(), more.clone()).await;
        let expected = match era {
            "legacy" => response.to_string(),
            _ => json!(["mine", response]).to_string(),
        };
        assert_eq!(answer.said(), expected, "{era}");
        if era == "legacy" {
            let replayed = ask(&client, able, more).await;
            assert!(replayed.text.contains("used already"), "{}", replayed.text);
            let unable = ask(&client, json!({}), json!({})).await;
            assert!(unable.said().contains("no client that can be asked"), "{}", unable.said());
        }
        drop(bridge.stopped().await);
    }
}

#[tokio::test]
async fn a_question_is_put_to_the_client_whose_call_it_is() {
    let hub = TestHub::start().await;
    let (_bridge, client) = odd(&hub, "legacy").await;
    let able = json!({ "elicitation": {} });
    let asked = ask(&client, able.clone(), json!({})).await;
    assert_eq!(asked.result()["resultType"], "input_required");
    // The one who was asked thinks about it. Another, who cannot be asked, is not waited for.
    let unable = ask(&client, json!({}), json!({})).await;
    assert!(unable.said().contains("no client that can be asked"), "{}", unable.said());

    // A question is heard among however many notices.
    let params = json!({ "name": "burst", "_meta": { CAPABILITIES: able } });
    let asked = client.modern("tools/call", params).await;
    assert_eq!(asked.result()["resultType"], "input_required", "{asked:?}");
}

#[tokio::test]
async fn a_server_learns_of_the_client_what_its_era_has_a_place_for() {
    let hub = TestHub::start().await;
    for era in ["legacy", "modern"] {
        let (bridge, client) = odd(&hub, era).await;
        let tasks = json!({ "extensions": { "io.modelcontextprotocol/tasks": {} }, "roots": {} });
        let meta = json!({ "com.example/own": [1], CAPABILITIES: tasks });
        let params = json!({ "name": "meta", "_meta": meta });
        let answer = client.modern("tools/call", params).await;
        let meta = &answer.result()["structuredContent"];
        assert_eq!(meta["com.example/own"], json!([1]), "{meta}");
        assert!(meta["progressToken"].is_u64(), "{meta}");
        let version = meta.get("io.modelcontextprotocol/protocolVersion");
        let expected = (era == "modern").then(|| json!("2026-07-28"));
        assert_eq!(version, expected.as_ref(), "{meta}");
        // Tasks are not: the hub has no way to ask after them.
        let expected = (era == "modern").then(|| json!({ "roots": {} }));
        assert_eq!(meta.get(CAPABILITIES), expected.as_ref(), "{meta}");
        drop(bridge.stopped().await);
    }
}

#[tokio::test]
async fn the_servers_of_a_file_are_all_offered() {
    let hub = TestHub::with_users().await;
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("room");
    fs::write(data.join("note.txt"), "remember the milk").expect("room");
    let server = |name: &str| {
        path(&format!("node_modules/@modelcontextprotocol/server-{name}/dist/index.js"))
    };
    let memory = data.join("memory.jsonl");
    let file = json!({ "mcpServers": {
        "files": { "command": node(), "args": [server("filesystem"), "${workspaceFolder}/data"] },
        "memory": { "command": node(), "args": [server("memory")], "env": { "MEMORY_FILE_PATH": memory } },
        "off": { "command": "no such command", "disabled": true },
    } });
    let config = folder.path().join("mcp.json");
    fs::write(&config, file.to_string()).expect("room");
    let arguments = [
        "--config",
        config.to_str().expect("UTF-8"),
        "--prefix",
        "{server}_",
        "--deny",
        "write_*,move_file",
        "--deny",
        "edit_file",
    ];
    let token = token("alice");
    let bridge = Bridge::with_token(hub.url(), Some(&token), &arguments);
    let client = McpClient::of_user(&hub, "alice");
    until_listed(&client, "files_read_text_file", true).await;
    until_listed(&client, "memory_create_entities", true).await;
    let tools = client.tools().await;
    assert!(
        !tools.iter().any(|tool| tool.contains("write_") || tool.contains("edit_")),
        "{tools:?}"
    );
    let note = json!({ "path": data.join("note.txt") });
    let answer = client.call("files_read_text_file", note).await;
    assert_eq!(answer.said(), "remember the milk");
    let ada = json!({ "name": "Ada", "entityType": "person", "observations": ["counts"] });
    client.call("memory_create_entities", json!({ "entities": [ada] })).await;
    let graph = client.call("memory_read_graph", json!({})).await;
    assert!(graph.said().contains("counts"), "{}", graph.said());
    assert!(McpClient::of_user(&hub, "bob").tools().await.is_empty());
    assert_eq!(bridge.stopped().await.0, Some(0));
}

#[tokio::test]
async fn a_faulty_command_line_is_said_to_be_so() {
    let folder = tempdir().expect("a folder");
    fs::write(folder.path().join("bad.json"), r#"{"mcpServers":{"a":{}}}"#).expect("room");
    fs::write(folder.path().join("none.json"), r#"{"mcpServers":{}}"#).expect("room");
    let cwd = r#"{"servers":{"a":{"command":"x","cwd":"/no/such/folder"}}}"#;
    fs::write(folder.path().join("cwd.json"), cwd).expect("room");
    let url = r#"{"servers":{"a":{"type":"http","url":"ws://x/${NOPE:-a}"}}}"#;
    fs::write(folder.path().join("url.json"), url).expect("room");
    for (arguments, part) in [
        (&["connect"][..], "required"),
        (&["connect", "--", "no-such-command"], "is not on the PATH"),
        (&["connect", "--", "./no-such-file"], "is no file"),
        (&["connect", "--", "./none.json"], "may not be executed"),
        (&["connect", "--config", "gone.json"], "gone.json cannot be read"),
        (&["connect", "--config", "bad.json"], "\"a\": it has neither"),
        (&["connect", "--config", "none.json"], "has no servers"),
        (
            &["connect", "--config", "cwd.json"],
            "server \"a\": the `cwd` /no/such/folder is no folder",
        ),
        (&["connect", "--config", "url.json"], "`url`: it begins with http"),
        (&["connect", "--server", "ftp://x"], "begins with http"),
        (
            &["connect", "--server", "http://a:b@x"],
            "no part of a URL; give `Authorization` in --header",
        ),
        (&["connect", "--prefix", "my/", "--server", "http://x"], "A-Z, a-z and 0-9, and _ . -"),
        (&["connect", "--server", "http://x", "--header", "odd"], "NAME: VALUE"),
        (&["connect", "--server", "http://x", "--config", "bad.json"], "cannot be used with"),
        (&["connect", "--url", "http://a:b@x", "--server", "http://x"], "no part of a URL"),
    ] {
        let ended = run(folder.path(), arguments, &[]).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(part), "{arguments:?}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn a_token_that_is_refused_ends_it() {
    let hub = TestHub::with_users().await;
    let odd_server = path("odd-server.mjs");
    let mut bridge = Bridge::with_token(hub.url(), Some("nonsense"), &["--", &node(), &odd_server]);
    let (code, log) = bridge.ended().await;
    assert_eq!(code, Some(4), "{log}");
    assert!(log.contains("does not accept the token"), "{log}");
}

/// The official test server, over HTTP at a port of its own.
async fn everything_over_http() -> (Child, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let server = start_everything_over_http(port);
    (server, format!("http://127.0.0.1:{port}/mcp"))
}

fn start_everything_over_http(port: u16) -> Child {
    let mut command = tokio::process::Command::new(node());
    command.args([&everything(), "streamableHttp"]).env("PORT", port.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("it starts")
}

#[tokio::test]
async fn a_server_over_http_is_offered_and_found_again_after_it_was_killed() {
    let hub = TestHub::start().await;
    let (mut server, url) = everything_over_http().await;
    let bridge = Bridge::start(hub.url(), &["--server", &url, "--prefix", "far."]);
    let client = McpClient::new(&hub);
    until_listed(&client, "far.echo", true).await;
    let answer = client.call("far.echo", json!({ "message": "hi" })).await;
    assert_eq!(answer.said(), "Echo: hi");
    let able = json!({ "elicitation": {} });
    let params = |more: Value| {
        let mut params = more;
        params["name"] = json!("far.trigger-elicitation-request");
        params["_meta"] = json!({ CAPABILITIES: able });
        params
    };
    let asked = client.modern("tools/call", params(json!({}))).await;
    let state = &asked.result()["requestState"];
    let response = json!({ "action": "accept", "content": { "name": "Ada", "check": true } });
    let more = json!({ "requestState": state, "inputResponses": { "q1": response } });
    let answer = client.modern("tools/call", params(more)).await;
    assert!(answer.text.contains("Name: Ada"), "{}", answer.text);

    server.kill().await.expect("it is killed");
    until_listed(&client, "far.echo", false).await;
    let port = url.trim_end_matches("/mcp").rsplit(':').next().expect("a port");
    let _server = start_everything_over_http(port.parse().expect("a port"));
    until_listed(&client, "far.echo", true).await;
    let answer = client.call("far.echo", json!({ "message": "again" })).await;
    assert_eq!(answer.said(), "Echo: again");
    assert_eq!(bridge.stopped().await.0, Some(0));
}

/// A hub is a modern server over HTTP like any other, and wants a token.
#[tokio::test]
async fn a_hub_can_be_offered_to_another() {
    let (near, far) = (TestHub::start().await, TestHub::with_users().await);
    let definition = json!({
        "name": "greet", "description": "Greets",
        "inputSchema": { "type": "object", "properties": {
            "name": { "type": "string", "x-mcp-header": "Name" },
        } },
    });
    let mut provider = TestProvider::offering_as(&far, Some("alice"), "p", &[definition]).await;
    let url = format!("{}/mcp", far.url());
    let token = token("alice");
    let bridge = Bridge::start(near.url(), &["--server", &url, "--server-token", &token]);
    let client = McpClient::new(&near);
    until_listed(&client, "greet", true).await;
    let arguments = json!({ "name": "greet", "arguments": { "name": "Zoë" } });
    let call = client
        .modern_request("tools/call", arguments)
        .header("mcp-param-name", "=?base64?Wm/Dqw==?=");
    let (answer, ()) = tokio::join!(McpClient::send(call), async {
        let (id, params) = provider.next_call().await;
        assert_eq!(params["arguments"], json!({ "name": "Zoë" }));
        provider.answer(&id, text("Hello, Zoë!")).await;
    });
    assert_eq!(answer.said(), "Hello, Zoë!");
    provider.register("p", &[tool("other")]).await;
    until_listed(&client, "other", true).await;
    until_listed(&client, "greet", false).await;
    drop(provider);
    until_listed(&client, "other", false).await;
    assert_eq!(bridge.stopped().await.0, Some(0));

    let mut bridge = Bridge::start(near.url(), &["--server", &url]);
    let refusal = bridge.log_with("401").await;
    assert!(refusal.contains("--server-token"), "{refusal}");
    assert_eq!(bridge.stopped().await.0, Some(0));
}

#[tokio::test]
async fn it_stops_when_told_to_although_there_is_no_hub() {
    let mark = format!("lonely-{}", std::process::id());
    let odd_server = path("odd-server.mjs");
    let arguments = ["--", &node(), &odd_server, "legacy", &mark];
    let mut bridge = Bridge::start("http://127.0.0.1:1", &arguments);
    bridge.log_with("the hub is not there").await;
    assert_eq!(bridge.stopped().await.0, Some(0));
    assert!(processes(&mark).is_empty(), "{:?}", processes(&mark));
}
