//! Plugins in a folder: they come, change, break and go while a hub and its clients look on.

use std::{fs, io::Write, os::unix::fs::symlink, path::PathBuf, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use mcp_hub::{auth::Scope, model::id::UserId};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

use crate::support::{
    McpClient, PATIENCE, TestHub, TestProvider, eventually,
    fake::user,
    guest::{Body, Guest, provider::BLOB, tool, typed::documented, wasi},
    hub::{token, token_for},
    plugins::{Folder, fault, offered, offers, repository, status},
    provider::text,
};

fn saying(answer: &str) -> Vec<u8> {
    Guest::of("say", Body::Text(answer.into())).build()
}

async fn said(hub: &TestHub, tool: &str) -> String {
    McpClient::new(hub).call(tool, json!({})).await.said().to_owned()
}

#[tokio::test]
async fn clients_of_each_era_hear_of_a_plugin_that_comes_changes_breaks_and_goes() {
    let folder = Folder::new();
    let hub = folder.hub().await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let (mut modern, mut legacy) = (client.listen().await, session.stream().await);
    let mut hear = async || {
        for events in [&mut modern, &mut legacy] {
            let news = events.next().await.expect("news");
            assert_eq!(news["method"], "notifications/tools/list_changed", "{news}");
        }
    };

    let put = Instant::now();
    folder.put("say.wasm", saying("one"));
    hear().await;
    assert!(put.elapsed() < Duration::from_secs(3), "{:?}, compiling included", put.elapsed());
    assert_eq!(client.tools().await, ["say"]);
    assert_eq!(session.tools().await, ["say"]);
    assert_eq!(session.call(2, "say", json!({})).await.said(), "one");

    let other = Guest::of("say", Body::Text("two".into())).tool(tool("more", Body::Echo));
    folder.put("say.wasm", other.build());
    hear().await;
    assert_eq!(client.tools().await, ["more", "say"]);
    assert_eq!(client.call("say", json!({})).await.said(), "two");

    folder.put("say.wasm", "no plugin at all");
    assert_eq!(fault(&hub, "say").await, "this is no WebAssembly");
    assert_eq!(client.call("say", json!({})).await.said(), "two", "the last good one serves on");
    let told = status(&hub, None, "say").await.expect("it is told of");
    assert_eq!(told["state"], "faulty");
    assert_eq!(told["fault"], "this is no WebAssembly");
    assert_eq!(told["serving"]["tools"], json!(["say", "more"]));

    folder.remove("say.wasm");
    hear().await;
    assert_eq!(client.tools().await, Vec::<String>::new());
    let gone = client.call("say", json!({})).await;
    assert_eq!(gone.code(), -32602);
    assert!(status(&hub, None, "say").await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_or_fails_while_a_plugin_is_replaced() {
    const CALLS: usize = 1_000;
    const RELOADS: usize = 20;
    // Each call takes a moment, so that many are in flight whenever the plugin is replaced.
    let version = |number: usize| {
        let nap = wasi::sleep(20_000_000);
        let answer = Body::Text(format!("version {number}"));
        Guest::of("say", Body::After(nap, Box::new(answer))).build()
    };
    let folder = Folder::new();
    folder.put("say.wasm", version(0));
    let max = CALLS.try_into().expect("not zero");
    let hub = folder
        .hub_with(|config| {
            config.limits.calls_per_user = max;
            config.limits.calls_per_provider = max;
            config.plugins.instances = 1_100.try_into().expect("not zero");
        })
        .await;
    let mut callers = JoinSet::new();
    let (stop, stopping) = tokio::sync::watch::channel(false);
    for _ in 0..CALLS {
        let (hub, stopping) = (hub.hub().clone(), stopping.clone());
        callers.spawn(async move {
            let user = hub.user(&UserId::public());
            let mut seen = Vec::new();
            while !*stopping.borrow() {
                let call = mcp_hub::model::call::Call { tool: "say".into(), ..Default::default() };
                let output = hub.call(&user, call).await.expect("no call fails");
                let result: Value = serde_json::from_str(output.json.as_str()).expect("JSON");
                let text = result["content"][0]["text"].as_str().expect("a text").to_owned();
                let number: usize = text["version ".len()..].parse().expect("a number");
                seen.push(number);
            }
            seen
        });
    }
    for number in 1..=RELOADS {
        folder.put("say.wasm", version(number));
        let digest = |hub: &TestHub| {
            let status = hub.plugins().statuses(None).remove(0);
            status.serving.expect("it always serves").digest
        };
        let before = digest(&hub);
        eventually("the new version serves", || digest(&hub) != before).await;
    }
    stop.send(true).expect("they listen");
    let all = callers.join_all().await;
    let newest = all.iter().filter_map(|seen| seen.iter().max()).max();
    assert!(newest >= Some(&(RELOADS - 1)), "the new versions were called");
    for seen in all {
        assert!(seen.is_sorted(), "nobody is given an older version again: {seen:?}");
    }
}

#[tokio::test]
async fn a_users_plugins_are_nobody_elses() {
    let folder = Folder::new();
    folder.put("shared.wasm", Guest::of("shared", Body::Text("all".into())).build());
    folder.put("users/alice/own.wasm", Guest::of("own", Body::Text("hers".into())).build());
    folder.put("users/a%2Fb/own.wasm", Guest::of("own", Body::Text("a/b's".into())).build());
    let hub =
        folder.hub_with(|config| config.auth.secret = Some(crate::support::hub::SECRET.into()));
    let hub = hub.await;
    let tools = async |name: &str| McpClient::of_user(&hub, name).tools().await;
    assert_eq!(tools("alice").await, ["own", "shared"]);
    assert_eq!(tools("bob").await, ["shared"]);
    assert_eq!(McpClient::of_user(&hub, "a/b").call("own", json!({})).await.said(), "a/b's");
    assert_eq!(McpClient::of_user(&hub, "bob").call("own", json!({})).await.code(), -32602);

    let alice = status(&hub, Some(&token("alice")), "own").await.expect("hers");
    assert_eq!((&alice["user"], &alice["state"]), (&json!("alice"), &json!("serving")));
    assert!(status(&hub, Some(&token("bob")), "own").await.is_none(), "not his");
    assert!(status(&hub, Some(&token("bob")), "shared").await.is_some());
    let admin = token_for("root", Some(&[Scope::Admin]), Duration::from_secs(60));
    assert!(status(&hub, Some(&admin), "own").await.is_some(), "an admin sees all");
}

#[tokio::test]
async fn a_plugin_and_a_remote_provider_fail_over_to_each_other() {
    let failing = Body::Error("failed", "out of order".into());
    let folder = Folder::new();
    let hub = folder.hub().await;
    let client = McpClient::new(&hub);
    let plain = json!({ "name": "say", "inputSchema": { "type": "object" } });
    let ours = |body: Body| Guest::new().tool(tool("say", body)).build();

    // A user's own provider comes before what everybody has; its failure leads to the plugin.
    let mut remote = TestProvider::offering(&hub, "afar", std::slice::from_ref(&plain)).await;
    folder.put("here.wasm", ours(Body::Text("from here".into())));
    eventually("both are offered", || {
        let view = hub.hub().user(&UserId::public()).view();
        view.stack("say").is_some_and(|stack| stack.offers.len() == 2)
    })
    .await;
    let (answer, ()) = tokio::join!(client.call("say", json!({})), async {
        let (id, _) = remote.next_call().await;
        remote.fail(&id, -32000, "no").await;
    });
    assert_eq!(answer.said(), "from here");

    // A plugin of the user's own that came later goes first; its failure leads to the provider.
    folder.put("users/public/newer.wasm", ours(failing));
    eventually("all three are offered", || {
        let view = hub.hub().user(&UserId::public()).view();
        view.stack("say").is_some_and(|stack| stack.offers.len() == 3)
    })
    .await;
    let (answer, ()) = tokio::join!(client.call("say", json!({})), async {
        let (id, _) = remote.next_call().await;
        remote.answer(&id, text("from afar")).await;
    });
    assert_eq!(answer.said(), "from afar");

    // What broke down may have done something: nobody else is asked, unless the tool says so.
    folder.put("users/public/newer.wasm", ours(Body::Trap));
    eventually("the newer one traps", || {
        let statuses = hub.plugins().statuses(None);
        statuses.iter().all(|it| it.state == mcp_hub::model::plugin::PluginState::Serving)
    })
    .await;
    tokio::time::timeout(PATIENCE, async {
        loop {
            // Until the new version serves, the old one leads to the provider.
            let call = client.call("say", json!({}));
            let provide = async {
                let (id, _) = remote.next_call().await;
                remote.answer(&id, text("from afar")).await;
                std::future::pending::<()>().await;
            };
            tokio::select! {
                answer = call => if answer.said().contains("is unknown") { break },
                () = provide => {}
            }
        }
    })
    .await
    .expect("a trap is told of as an unknown outcome");
    let repeatable = tool("say", Body::Trap).annotations(json!({ "idempotent": true }));
    folder.put("users/public/newer.wasm", Guest::new().tool(repeatable).build());
    let mut served = remote.serve(|_| text("again, from afar"));
    let client = &client;
    eventually_said(client, "again, from afar").await;
    served.abort_all();
}

async fn eventually_said(client: &McpClient, wanted: &str) {
    let waiting = async {
        while client.call("say", json!({})).await.said() != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "never said {wanted:?}");
}

#[tokio::test]
async fn a_guest_speaks_to_its_client_and_the_client_to_it() {
    let requests = r#"{"who":{"method":"elicitation/create","params":{}}}"#;
    let guest = Guest::new()
        .tool(tool("log", Body::Log("warning", "look out".into())))
        .tool(tool("steps", Body::Progress(3)))
        .tool(tool("meta", Body::Meta))
        .tool(tool(
            "ask",
            Body::InputRequired { requests: requests.into(), state: Some("half \"way\"".into()) },
        ))
        .tool(tool("config", Body::Config("greeting".into())));
    let folder = Folder::new();
    folder.put("all.wasm", guest.build());
    folder.put("all.toml", "[config]\ngreeting = 'hello'");
    let hub = folder.hub().await;
    let client = McpClient::new(&hub);

    let meta = json!({ "progressToken": 7, "io.modelcontextprotocol/logLevel": "info", "x.test/a": [1.50] });
    let call = async |tool: &str| {
        let params = json!({ "name": tool, "arguments": {}, "_meta": meta });
        client.modern("tools/call", params).await
    };
    let logged = call("log").await;
    let message = &logged.messages[0]["params"];
    assert_eq!((&message["level"], &message["data"]), (&json!("warning"), &json!("look out")));
    let steps = call("steps").await;
    let progress = steps.messages.iter().filter_map(|it| it["params"]["progress"].as_f64());
    let progress: Vec<_> = progress.collect();
    assert_eq!(progress, [1.0, 2.0, 3.0]);
    assert_eq!(steps.messages[0]["params"]["progressToken"], 7);
    let meta = call("meta").await;
    assert!(meta.said().contains(r#""x.test/a":[1.5]"#), "{}", meta.said());
    assert_eq!(call("config").await.said(), "hello");

    let can = json!({ "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} } });
    let params = json!({ "name": "ask", "arguments": {}, "_meta": can });
    let asked = client.modern("tools/call", params).await;
    let asked = asked.result();
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked["inputRequests"]["who"]["method"], "elicitation/create");
    let answers = json!({ "who": { "action": "accept", "content": { "name": "Ada" } } });
    let again = client
        .modern(
            "tools/call",
            json!({ "name": "ask", "arguments": {}, "inputResponses": answers,
                    "requestState": asked["requestState"] }),
        )
        .await;
    let content = &again.result()["content"];
    assert_eq!(
        serde_json::from_str::<Value>(content[0]["text"].as_str().unwrap()).unwrap(),
        answers
    );
    assert_eq!(content[1]["text"], "half \"way\"", "the state as the guest gave it");
}

#[tokio::test]
async fn everything_a_guest_can_say_reaches_its_client() {
    let link =
        r#"{"type":"resource_link","uri":"test://a","name":"a","annotations":{"priority":0.50}}"#;
    let guest = Guest::new()
        .tool(
            tool("structured", Body::Structured(r#"{"n":12345678901234567890123}"#.into()))
                .title("Structured")
                .description("Gives a number.")
                .input_schema(r#"{"type":"object","properties":{}}"#)
                .output_schema(r#"{"type":"object","required":["n"]}"#)
                .annotations(json!({ "title": "Sure", "read-only": true, "open-world": false }))
                .meta(r#"{"x.test/y":1}"#),
        )
        .tool(tool("image", Body::Image))
        .tool(tool("audio", Body::Audio))
        .tool(tool("resource", Body::Resource))
        .tool(tool("link", Body::ResourceLink))
        .tool(tool("json", Body::Json(link.into())))
        .tool(tool("error", Body::IsError("no luck".into())))
        .tool(tool("stopped", Body::Cancelled));
    let folder = Folder::new();
    folder.put("all.wasm", guest.build());
    let hub = folder.hub().await;
    let client = McpClient::new(&hub);
    let list = client.modern("tools/list", json!({})).await;
    let listed = list.result()["tools"].as_array().expect("tools");
    let structured = listed.iter().find(|tool| tool["name"] == "structured").expect("listed");
    assert_eq!(
        *structured,
        json!({
            "name": "structured", "title": "Structured", "description": "Gives a number.",
            "inputSchema": { "type": "object", "properties": {} },
            "outputSchema": { "type": "object", "required": ["n"] },
            "annotations": { "title": "Sure", "readOnlyHint": true, "openWorldHint": false },
            "_meta": { "x.test/y": 1 },
        })
    );
    let number = client.call("structured", json!({})).await;
    assert!(number.text.contains(r#""structuredContent":{"n":12345678901234567890123}"#));
    let content =
        async |tool: &str| client.call(tool, json!({})).await.result()["content"][0].clone();
    let data = BASE64_STANDARD.encode(BLOB);
    for (tool, expected) in [
        ("image", json!({ "type": "image", "data": data, "mimeType": "image/png" })),
        ("audio", json!({ "type": "audio", "data": data, "mimeType": "audio/wav" })),
        (
            "resource",
            json!({ "type": "resource", "resource":
                { "uri": "test://hello", "mimeType": "text/plain", "text": "hello" } }),
        ),
        (
            "link",
            json!({ "type": "resource_link", "uri": "test://hello", "name": "hello",
                "title": "Hello", "size": 5 }),
        ),
        ("json", serde_json::from_str(link).expect("JSON")),
        ("error", json!({ "type": "text", "text": "no luck" })),
    ] {
        assert_eq!(content(tool).await, expected, "{tool}");
    }
}

#[tokio::test]
async fn nothing_is_remembered_from_one_call_to_the_next() {
    // Tells what it finds in memory, and in a table, and leaves something there.
    let look = "(call $say-number (i32.load (i32.const 60000)))
        (call $say-number (i32.load (i32.const 3000000)))
        (call $say-number (global.get $seen))
        (call $say-number (ref.is_null (table.get $kept (i32.const 9))))
        (i32.store (i32.const 60000) (i32.const 7))
        (i32.store (i32.const 3000000) (i32.const 7))
        (global.set $seen (i32.const 7))
        (table.set $kept (i32.const 9) (ref.func $same))";
    let items = "(global $seen (mut i32) (i32.const 0)) (table $kept 10 funcref)
        (elem declare func $same)";
    let guest = Guest::of("look", Body::Say(look.into())).items(items).memory(64).build();
    let folder = Folder::new();
    folder.put("look.wasm", guest);
    let hub = folder.hub().await;
    for _ in 0..300 {
        assert_eq!(said(&hub, "look").await, "0001");
    }
}

#[tokio::test]
async fn any_minor_version_of_wasi_is_served() {
    let folder = Folder::new();
    for (name, version) in [("old", "0.2.0"), ("new", "0.2.12")] {
        let guest = Guest::of(name, wasi::environment()).wasi(version);
        folder.put(&format!("{name}.wasm"), guest.build());
    }
    let hub = folder.hub().await;
    offered(&hub, &["new", "old"]).await;
    folder.put("newer.wasm", Guest::of("newer", wasi::environment()).wasi("0.3.0").build());
    let fault = fault(&hub, "newer").await;
    assert!(fault.contains("wasi:cli/environment@0.3.0"), "{fault}");
}

#[tokio::test]
async fn a_clone_of_the_repository_starts_with_tools() {
    let hub = TestHub::with(|config| config.plugins.folder = repository("plugins")).await;
    let tools = ["checksum", "verify_checksum", "now", "convert_time", "fetch_page"];
    let user = user("anybody");
    eventually("the committed plugins serve", || {
        tools.iter().all(|tool| offers(hub.hub(), &user, tool))
    })
    .await;
    let client = McpClient::new(&hub);
    let sum = client.call("checksum", json!({ "text": "abc", "algorithms": ["sha256"] })).await;
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert!(sum.said().contains(sha256), "{}", sum.said());
    let time = json!({
        "time": "2026-07-01T12:00",
        "from_time_zone": "Europe/Berlin",
        "to_time_zones": ["America/New_York"],
    });
    let converted = client.call("convert_time", time).await;
    assert!(converted.said().contains("06:00"), "{}", converted.said());
}

/// What `./test` builds of the sources lists the same tools as what is committed beside them.
#[tokio::test]
async fn the_committed_plugins_are_those_of_their_sources() {
    let tools = async |path: PathBuf| {
        let built = "plugins/build --into target/plugins time web-page query";
        assert!(path.is_file(), "{} is not there: run ./test, or {built}", path.display());
        let folder = Folder::new();
        folder.put("it.wasm", fs::read(path).expect("readable"));
        let hub = folder.hub().await;
        assert_eq!(hub.plugins().statuses(None)[0].fault, None);
        let list = McpClient::new(&hub).modern("tools/list", json!({})).await;
        list.result()["tools"].clone()
    };
    for name in ["time", "web-page"] {
        let committed = tools(repository(&format!("plugins/{name}.wasm"))).await;
        let rebuilt = tools(repository(&format!("target/plugins/{name}.wasm"))).await;
        assert_eq!(committed, rebuilt, "{name}");
    }
    let query = tools(repository("target/plugins/query.wasm")).await;
    let names: Vec<_> = query.as_array().expect("tools").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["query_csv", "query_json"]);
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_guest() {
    let folder = Folder::new();
    let spin = Guest::of("spin", Body::Spin)
        .tool(tool("wait", Body::After(wasi::sleep(u64::MAX), Box::new(Body::Echo))));
    folder.put("spin.wasm", spin.build());
    // One call at a time, so that a second tells whether the first has ended.
    let hub = folder.hub_with(|config| config.plugins.instances = 1.try_into().expect("one")).await;
    let client = McpClient::new(&hub);
    for tool in ["spin", "wait"] {
        let call = client.call(tool, json!({}));
        assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err());
        let busy = async || {
            let call = client.call("wait", json!({}));
            let call = tokio::time::timeout(Duration::from_millis(100), call).await;
            call.is_ok_and(|answer| answer.said().contains("all plugin instances are in use"))
        };
        let waiting = async { while busy().await {} };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{tool} goes on although nobody waits");
    }
}

#[tokio::test]
async fn a_guest_that_looks_out_hears_that_its_client_has_left() {
    let folder = Folder::new();
    let shared = folder.file("left");
    fs::create_dir(&shared).expect("room");
    // It goes on until it is cancelled, and leaves a file behind then.
    let wait = "(loop $again (br_if $again (i32.eqz (call $mcp-hub:plugin/host#cancelled))))";
    let Body::Say(leave) = wasi::write("farewell", "bye") else { panic!("it says what it did") };
    folder.put("polite.wasm", Guest::of("wait", Body::Say(format!("{wait} {leave}"))).build());
    folder.put("polite.toml", format!("[permissions]\nwrite = ['{}']", shared.display()));
    let hub = folder.hub().await;
    let client = McpClient::new(&hub);
    let call = client.call("wait", json!({}));
    assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err());
    eventually("it took its leave", || shared.join("farewell").exists()).await;
}

#[tokio::test]
async fn typed_functions_become_tools() {
    let folder = Folder::new();
    folder.put("typed.wasm", documented());
    let hub = folder.hub().await;
    let client = McpClient::new(&hub);
    let list = client.modern("tools/list", json!({})).await;
    let tools = list.result()["tools"].as_array().expect("tools").clone();
    let greet = tools.iter().find(|tool| tool["name"] == "greet").expect("greet");
    assert_eq!(greet["description"], "Greets somebody, who must have a name.");
    let age = &greet["inputSchema"]["properties"]["who"]["properties"]["age"];
    assert_eq!((&age["type"], &age["maximum"]), (&json!("integer"), &json!(u32::MAX)));
    let person = json!({ "name": "Ada", "age": 36, "email": null });
    let greeted = client.call("greet", json!({ "who": person })).await;
    assert_eq!(greeted.said(), "Hello, Ada");
    assert_eq!(greeted.result()["structuredContent"], json!({ "result": "Hello, Ada" }));
    let failed = client.call("greet", json!({ "who": { "name": "", "age": 1 } })).await;
    assert_eq!((failed.said(), &failed.result()["isError"]), ("nobody to greet", &json!(true)));
    let area = client.call("area", json!({ "s": { "tag": "rectangle", "val": [2, 2.5] } })).await;
    assert_eq!(area.result()["structuredContent"], json!({ "result": 5.0 }));
    let wrong = client.call("add", json!({ "a": -1, "b": 2 })).await;
    assert_eq!(wrong.code(), -32602);
    let told = status(&hub, None, "typed").await.expect("it serves");
    let warnings = told["serving"]["warnings"].to_string();
    assert!(warnings.contains("open-counter"), "{warnings}");
}

#[tokio::test]
async fn a_file_is_left_alone_until_it_is_whole() {
    let folder = Folder::new();
    let hub = folder.hub().await;
    let wasm = saying("whole");
    let mut file = fs::File::create(folder.file("slow.wasm")).expect("room");
    for piece in wasm.chunks(wasm.len() / 20) {
        file.write_all(piece).expect("room");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(file);
    offered(&hub, &["say"]).await;
    assert!(hub.plugins().statuses(None)[0].fault.is_none(), "it was never read half");
    assert_eq!(said(&hub, "say").await, "whole");
}

#[tokio::test]
async fn files_are_found_however_they_come_to_be_there() {
    let folder = Folder::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let target = elsewhere.path().join("target");
    fs::write(&target, saying("one")).expect("room");
    let hub = folder.hub_with(|config| config.plugins.poll = Duration::from_millis(100)).await;
    symlink(&target, folder.file("link.wasm")).expect("room");
    offered(&hub, &["say"]).await;
    // Nothing changes in the folder that is watched: the next look finds it.
    fs::write(&target, saying("two")).expect("room");
    eventually_said(&McpClient::new(&hub), "two").await;

    folder.put("#odd.wasm#", saying("an editor's"));
    folder.put(".hidden.wasm", saying("hidden"));
    fs::create_dir(folder.file("folder.wasm")).expect("room");
    symlink("/nowhere/at/all", folder.file("dangling.wasm")).expect("room");
    folder.put("other.wasm", Guest::of("other", Body::Echo).build());
    offered(&hub, &["other", "say"]).await;
    assert_eq!(hub.plugins().statuses(None).len(), 2);
}

#[tokio::test]
async fn the_folder_itself_may_come_and_go() {
    let folder = Folder::new();
    fs::remove_dir(folder.path()).expect("it was there");
    let hub = folder.hub().await;
    for answer in ["one", "two"] {
        fs::create_dir(folder.path()).expect("room");
        folder.put("say.wasm", saying(answer));
        offered(&hub, &["say"]).await;
        assert_eq!(said(&hub, "say").await, answer);
        fs::remove_dir_all(folder.path()).expect("it was there");
        offered(&hub, &[]).await;
    }
}

#[tokio::test]
async fn thousands_of_files_do_no_harm() {
    const FILES: usize = 3_000;
    let folder = Folder::new();
    let wasm = saying("found");
    for number in 0..FILES {
        fs::write(folder.file(&format!("junk-{number}.wasm")), "junk").expect("room");
    }
    let hub = folder.hub().await;
    let faulty = hub.plugins().statuses(None);
    assert_eq!(faulty.iter().filter(|plugin| plugin.fault.is_some()).count(), FILES);
    folder.put("good.wasm", wasm);
    offered(&hub, &["say"]).await;
}

#[tokio::test]
async fn a_change_of_the_permissions_takes_effect() {
    let folder = Folder::new();
    folder.put("ask.wasm", Guest::of("ask", Body::Config("word".into())).build());
    let hub = folder.hub().await;
    assert_eq!(said(&hub, "ask").await, "none");
    folder.put("ask.toml", "[config]\nword = 'given'");
    let client = McpClient::new(&hub);
    let waiting = async { while client.call("ask", json!({})).await.said() != "given" {} };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it is loaded anew");
    folder.put("ask.toml", "[permisions]");
    let reason = fault(&hub, "ask").await;
    assert!(
        reason.contains("ask.toml") && reason.contains("unknown field `permisions`"),
        "{reason}"
    );
    assert_eq!(said(&hub, "ask").await, "given", "the last good one serves on");
    folder.put("ask.toml", "[limits]\nmemory = '10 GiB'");
    eventually("the limit is refused", || {
        let fault = hub.plugins().statuses(None)[0].fault.clone().unwrap_or_default();
        fault.contains("above 256.0 MiB, the operator's plugins.memory_max")
    })
    .await;
}

#[tokio::test]
async fn what_was_compiled_once_is_loaded_from_the_cache() {
    let cache = tempfile::tempdir().expect("a folder");
    let folder = Folder::new();
    folder.put("say.wasm", saying("cached"));
    let compile_ms = async || {
        let place = cache.path().join("native");
        let hub = folder.hub_with(|config| config.plugins.cache = Some(place)).await;
        let status = status(&hub, None, "say").await.expect("it serves");
        assert_eq!(said(&hub, "say").await, "cached");
        hub.stop().await;
        status["serving"].get("compileMs").is_some()
    };
    assert!(compile_ms().await, "compiled");
    assert!(!compile_ms().await, "taken from the cache");
    for entry in fs::read_dir(cache.path().join("native")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            fs::write(path, "").expect("room");
        }
    }
    assert!(compile_ms().await, "what a crash left of it is thrown away");
}

#[tokio::test]
async fn a_hub_is_ready_once_its_plugins_are() {
    let folder = Folder::new();
    folder
        .put("slow.wasm", Guest::of("say", Body::Echo).start(&wasi::sleep(1_000_000_000)).build());
    let path = folder.path();
    let hub = TestHub::with(|config| config.plugins.folder = path).await;
    let ready = async || {
        let answer = reqwest::get(format!("{}/readyz", hub.url())).await.expect("an answer");
        answer.status().as_u16()
    };
    assert_eq!(ready().await, 503, "a plugin is being loaded");
    hub.plugins().ready().await;
    assert_eq!(ready().await, 200);
    assert!(offers(hub.hub(), &user("anybody"), "say"));
}
