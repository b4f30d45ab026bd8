//! What plugins may use: their files, their calls and all of them together.

use std::{collections::BTreeMap, fs, os::unix::fs::symlink, time::Duration};

use bytesize::ByteSize;
use mcp_hub::{
    hub::chronicle::Hits,
    model::{id::UserId, plugin::PluginState},
    provider::plugin::Options,
};
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::count;
use crate::support::{
    McpClient, PATIENCE, TestHub, eventually,
    guest::{Body, Guest, tool, wasi},
    plugins::{Folder, fault, offered, repository},
};

/// A page of Wasm, in bytes.
const PAGE: u64 = 64 * 1024;

/// A guest that takes a nap before it answers.
fn napping(nanoseconds: u64) -> Guest {
    let nap = wasi::sleep(nanoseconds);
    Guest::of("t", Body::After(nap, Box::new(Body::Text("done".into()))))
}

/// What comes of so many calls at the same time.
async fn said(hub: &TestHub, calls: usize) -> Vec<String> {
    let mut calling = JoinSet::new();
    for _ in 0..calls {
        let client = McpClient::new(hub);
        calling.spawn(async move { client.call("t", json!({})).await.said().to_owned() });
    }
    calling.join_all().await
}

#[tokio::test]
async fn a_plugins_file_may_have_so_many_bytes() {
    let folder = Folder::new();
    let wasm = napping(0).build();
    let size = wasm.len() as u64;
    folder.put("p.wasm", &wasm);
    for (max, fits) in [(size + 1, true), (size, true), (size - 1, false)] {
        let hub = folder.hub_with(|config| config.plugins.file = ByteSize(max)).await;
        if fits {
            assert_eq!(said(&hub, 1).await, ["done"]);
        } else {
            let why = fault(&hub, "p").await;
            let bound = format!("has {size} bytes; the limit is {max} (plugins.file)");
            assert!(why.ends_with(&bound), "{why}");
        }
    }
}

#[tokio::test]
async fn a_plugin_may_have_so_much_memory() {
    for (pages, fits) in [(15, true), (16, true), (17, false)] {
        let folder = Folder::new();
        folder.put("p.wasm", napping(0).memory(pages).build());
        let hub = folder.hub_with(|config| config.plugins.memory = ByteSize(16 * PAGE)).await;
        if fits {
            assert_eq!(said(&hub, 1).await, ["done"], "{pages} pages");
        } else {
            let why = fault(&hub, "p").await;
            assert!(why.contains("1048576 bytes (plugins.memory, or memory in [limits]"), "{why}");
        }
    }
}

#[tokio::test]
async fn a_plugins_call_may_take_so_long() {
    let folder = Folder::new();
    for (nap, fits) in [(Duration::ZERO, true), (Duration::from_secs(10), false)] {
        folder.put("p.wasm", napping(nap.as_nanos().try_into().expect("short")).build());
        let hub = folder.hub_with(|config| config.plugins.time = Duration::from_secs(1)).await;
        let answers = said(&hub, 1).await;
        let expected =
            if fits { "done" } else { "ran out of time: 1s (plugins.time, or time in [limits]" };
        assert!(answers[0].contains(expected), "{answers:?}");
    }
}

#[tokio::test]
async fn a_plugin_may_hand_over_so_much_at_once() {
    const MAX: usize = 256 * 1024;
    // What is around the text counts as well, so it cannot be as long as the bound.
    for (bytes, fits) in [(MAX - 4096, true), (MAX, false), (MAX + 1, false)] {
        let folder = Folder::new();
        folder.put("p.wasm", Guest::of("t", Body::Big(bytes)).build());
        let max = ByteSize(MAX.try_into().expect("small"));
        let hub = folder.hub_with(|config| config.plugins.output = max).await;
        let answers = said(&hub, 1).await;
        if fits {
            assert_eq!(answers[0].len(), bytes);
        } else {
            let why = "more than 262144 bytes at once (plugins.output, or output in [limits]";
            assert!(answers[0].contains(why), "{bytes}: {:.300}", answers[0]);
        }
    }
}

/// Of one call more than there is room for one is refused, and no more.
async fn one_too_many(hub: &TestHub, room: usize, key: &str) {
    let answers = said(hub, room + 1).await;
    let (served, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|said| *said == "done");
    assert_eq!((served.len(), refused.len()), (room, 1), "{answers:?}");
    assert!(refused[0].contains(&format!("({key})")), "{refused:?}");
    assert_eq!(said(hub, room).await, vec!["done"; room], "room was given back");
}

#[tokio::test]
async fn so_many_calls_of_plugins_may_run_at_once() {
    let folder = Folder::new();
    folder.put("p.wasm", napping(500_000_000).build());
    let two = 2.try_into().expect("not zero");
    let hub = folder.hub_with(|config| config.plugins.instances = two).await;
    one_too_many(&hub, 2, "plugins.instances").await;
}

#[tokio::test]
async fn so_much_memory_may_all_calls_of_plugins_have() {
    let folder = Folder::new();
    folder.put("p.wasm", napping(500_000_000).memory(16).build());
    let total = ByteSize(3 * 16 * PAGE);
    let hub = folder.hub_with(|config| config.plugins.memory_total = total).await;
    one_too_many(&hub, 3, "plugins.memory_total").await;
}

#[tokio::test]
async fn compiling_a_plugin_may_take_so_long_and_so_much_memory() {
    for key in ["plugins.compile_time", "plugins.compile_memory"] {
        let (folder, cache) = (Folder::new(), tempfile::tempdir().expect("a folder"));
        folder.put("p.wasm", napping(0).build());
        let place = cache.path().join("native");
        let hub = folder
            .hub_with(|config| {
                config.plugins.cache = Some(place);
                if key == "plugins.compile_time" {
                    config.plugins.compile_time = Duration::from_millis(1);
                } else {
                    config.plugins.compile_memory = ByteSize::mib(16);
                }
            })
            .await;
        let why = fault(&hub, "p").await;
        assert!(why.contains(&format!("({key})")), "{why}");
    }
}

/// How many compilers ran at once, by what they have written down.
fn most_at_once(log: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for line in log.lines() {
        now = if line == "begun" { now + 1 } else { now - 1 };
        most = most.max(now);
    }
    most
}

#[tokio::test]
async fn so_many_plugins_are_compiled_at_once() {
    const PLUGINS: usize = 4;
    for compiles in [1, 2] {
        let (folder, place) = (Folder::new(), tempfile::tempdir().expect("a folder"));
        let file = |name: &str| place.path().join(name);
        symlink(repository("tests/it/support/compiler/held"), file("held")).expect("room");
        symlink(env!("CARGO_BIN_EXE_mcp-hub"), file("mcp-hub")).expect("room");
        let hub = folder
            .hub_with(|config| {
                config.plugins.compiles = count(compiles);
                config.plugins.cache = Some(file("native"));
                config.plugins.program = Some(file("held"));
            })
            .await;
        let names: Vec<_> = (0..PLUGINS).map(|number| format!("t{number}")).collect();
        for name in &names {
            let guest = Guest::of(name, Body::Text("done".into()));
            folder.put(&format!("{name}.wasm"), guest.build());
        }
        let log = || fs::read_to_string(file("log")).unwrap_or_default();
        eventually(&format!("{compiles} of them are being compiled, the others wait"), || {
            let statuses = hub.plugins().statuses(None);
            let loading = statuses.iter().filter(|status| status.state == PluginState::Loading);
            loading.count() == PLUGINS && log().lines().count() >= compiles
        })
        .await;
        fs::write(file("go"), "").expect("room");
        offered(&hub, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(most_at_once(&log()), compiles, "{}", log());
    }
}

#[tokio::test]
async fn the_folder_is_looked_at_so_often_though_nothing_is_heard_of_changes() {
    let (slow, quick) = (Duration::from_secs(1), Duration::from_millis(50));
    for poll in [slow, quick] {
        let (folder, elsewhere) = (Folder::new(), tempfile::tempdir().expect("a folder"));
        let target = elsewhere.path().join("target");
        // Where the link leads to is not watched: only a look finds what has changed there.
        let change = |answer: &str| {
            let whole = elsewhere.path().join("whole");
            fs::write(&whole, Guest::of("t", Body::Text(answer.into())).build()).expect("room");
            fs::rename(&whole, &target).expect("the same file system");
        };
        change("0");
        symlink(&target, folder.file("p.wasm")).expect("room");
        let hub = folder.hub_with(|config| config.plugins.poll = poll).await;
        // From before one change until the next one is seen the folder is looked at twice at least.
        let seen = async |answer: &str| while said(&hub, 1).await != [answer] {};
        let twice = async |number: usize| {
            let begun = Instant::now();
            for number in [number, number + 1] {
                let answer = (number % 2).to_string();
                change(&answer);
                seen(&answer).await;
            }
            begun.elapsed()
        };
        let usual = Options::default().poll;
        let looking = async {
            let mut number = 1;
            loop {
                let took = twice(number).await;
                assert!(took >= poll, "looked at every {poll:?}, seen twice in {took:?}");
                if took < usual || poll == slow {
                    return;
                }
                number += 2;
            }
        };
        timeout(PATIENCE, looking).await.expect("it is looked at more often than usual");
    }
}

#[tokio::test]
async fn what_keeps_plugins_of_all_and_of_one_user_out_is_counted() {
    let folder = Folder::new();
    let hub = folder
        .hub_with(|config| {
            config.limits.tools_per_provider = count(2);
            config.limits.tool_definition = ByteSize::b(500);
        })
        .await;
    let three = ["a", "b", "c"].map(|name| tool(name, Body::Echo));
    let many = three.into_iter().fold(Guest::new(), Guest::tool).build();
    let described = tool("t", Body::Echo).description(&"x".repeat(500));
    let large = Guest::new().tool(described).build();
    let (of_hub, own) = (hub.hub().registry().chronicle(), hub.hub().user(&UserId::public()));
    for (key, wasm) in [("limits.tools_per_provider", many), ("limits.tool_definition", large)] {
        let hits = |hit: &BTreeMap<&str, Hits>| hit.get(key).map_or(0, |hits| hits.count);
        for (file, of_all, of_one) in [("p.wasm", 1, 0), ("users/public/p.wasm", 2, 1)] {
            folder.put(file, &wasm);
            let why = fault(&hub, "p").await;
            assert!(why.contains(key), "{why}");
            let counted = (hits(&of_hub.limits()), hits(&own.chronicle.limits()));
            assert_eq!(counted, (of_all, of_one), "{key}, {file}");
            folder.remove(file);
            eventually("it is gone", || hub.plugins().statuses(None).is_empty()).await;
        }
    }
}
