//! Plugins that mean harm: each is contained, the reason is named, and nobody else suffers.

use std::time::Duration;

use mcp_hub::model::plugin::PluginState;
use serde_json::{Value, json};
use tokio::{process::Command, task::JoinSet, time::Instant};

use crate::support::{
    McpClient, TestHub, eventually,
    guest::{
        Body, Guest,
        hostile::{Expectation, Hostile, corpus},
    },
    plugins::Folder,
    resident, runner,
};

/// Time of a hostile call: enough to do harm in.
const TIME: Duration = Duration::from_secs(2);
/// What the allocator may keep of it, in KiB.
const SLACK: u64 = 64 * 1024;

async fn stage(folder: &Folder) -> TestHub {
    folder.put("good.wasm", Guest::of("good", Body::Echo).build());
    let hub = TestHub::with(|config| {
        config.plugins.folder = folder.path();
        config.plugins.time = TIME;
        config.plugins.compile_time = Duration::from_secs(20);
    })
    .await;
    eventually("the good one serves", || !hub.plugins().statuses(None).is_empty()).await;
    hub.plugins().ready().await;
    hub
}

/// Calls the good tool again and again; the longest any call took when it is stopped.
fn bystander(hub: &TestHub) -> JoinSet<Duration> {
    let client = McpClient::new(hub);
    let mut calling = JoinSet::new();
    calling.spawn(async move {
        let mut longest = Duration::ZERO;
        for _ in 0.. {
            let started = Instant::now();
            let answer = client.call("good", json!({ "a": 1 })).await;
            assert_eq!(answer.said(), r#"{"a":1}"#, "the good one always answers");
            longest = longest.max(started.elapsed());
            if longest > Duration::from_secs(5) {
                break;
            }
        }
        longest
    });
    calling
}

/// In a process of its own, for what is measured is the memory of the whole process.
#[tokio::test]
async fn every_hostile_guest_is_contained() {
    let mut alone = Command::new(std::env::current_exe().expect("this program"));
    alone.args(["--exact", "hostile::the_corpus_is_contained", "--ignored", "--nocapture"]);
    let output = alone.kill_on_drop(true).output().await.expect("it runs");
    let said = [output.stdout, output.stderr]
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    println!("{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the test above runs it, in a process of its own"]
async fn the_corpus_is_contained() {
    let length = runner::length();
    let until = Instant::now() + length.unwrap_or_default();
    let folder = Folder::new();
    let hub = stage(&folder).await;
    let client = McpClient::new(&hub);
    let mut others = bystander(&hub);
    let all = corpus();
    let mut levels = Vec::new();
    // Once more at least, to see that memory has returned to its level.
    while levels.len() < 2 || Instant::now() < until {
        // What is kept out leaves nothing behind that a second time would show.
        let again = |hostile: &&Hostile| {
            levels.is_empty()
                || length.is_some()
                || !matches!(hostile.expect, Expectation::Refused(_))
        };
        for hostile in all.iter().filter(again) {
            check(&folder, &hub, &client, hostile).await;
        }
        levels.push(resident(std::process::id()));
    }
    assert!(others.try_join_next().is_none(), "somebody had to wait for seconds");
    others.abort_all();
    let (first, last) = (levels[0], levels[levels.len() - 1]);
    assert!(last < first + first / 4 + SLACK, "memory grew by rounds, in KiB: {levels:?}");
    println!("resident memory after each round, in KiB: {levels:?}");
}

async fn check(folder: &Folder, hub: &TestHub, client: &McpClient, hostile: &Hostile) {
    let Hostile { name, wasm, expect } = hostile;
    let (file, manifest) = (format!("{name}.wasm"), format!("{name}.toml"));
    if *expect == Expectation::Harmless {
        // It ends by itself, however slow the machine is.
        folder.put(&manifest, "[limits]\ntime = '1m'");
    }
    folder.put(&file, wasm);
    let look = || hub.plugins().statuses(None).into_iter().find(|it| *it.name == **name);
    let waiting = async {
        loop {
            match look() {
                Some(status) if status.state != PluginState::Loading => break status,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    let status = waited.unwrap_or_else(|_| panic!("{name} is neither in nor out"));
    match expect {
        Expectation::Refused(why) => {
            let fault = status.fault.unwrap_or_else(|| panic!("{name} was let in"));
            assert!(fault.contains(why), "{name}: {fault:?} does not say {why:?}");
            assert!(fault.len() < 3_000, "{name}: a reason of {} bytes", fault.len());
        }
        Expectation::Contained(why) => {
            assert_eq!(status.fault, None, "{name}");
            let answer = client.call("attack", json!({})).await;
            let text = answer.text;
            assert!(text.contains(why), "{name}: {text:?} does not say {why:?}");
            let result: Value = serde_json::from_str(&text).expect("JSON");
            let failed =
                result.get("error").is_some() || result["result"]["isError"] == json!(true);
            assert!(failed, "{name}: {text}");
        }
        Expectation::Harmless => {
            assert_eq!(status.fault, None, "{name}");
            let answer = client.call("attack", json!({})).await;
            assert_ne!(answer.result()["isError"], json!(true), "{name}: {}", answer.text);
        }
    }
    folder.remove(&file);
    if *expect == Expectation::Harmless {
        folder.remove(&manifest);
    }
    eventually("it is gone", || look().is_none()).await;
}
