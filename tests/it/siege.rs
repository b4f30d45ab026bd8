//! Two thousand connections that mean harm, against the real binary: its memory stays within bounds
//! and a good client notices nothing.

use std::{fs, time::Duration};

use rustix::process::Pid;
use serde_json::json;
use tempfile::tempdir;
use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::support::{
    McpClient, TestProvider,
    binary::Process,
    provider::{text, tool},
    raw::Raw,
};

const ATTACKERS: usize = 2_000;
/// How long they go on.
const SIEGE: Duration = Duration::from_secs(6);
/// How many calls the good client makes meanwhile, one after the other, at the least.
const CALLS_MIN: usize = 10;
/// The longest any of them may take: the machine is busy with the attack, half of which is run on it.
const CALL_MAX: Duration = Duration::from_secs(10);

/// What all bodies that are held at once may take, as the hub is told, in KiB.
const BODIES: u64 = 8 * 1024;
/// What a connection may take, in KiB: a head (the hub is told 8 KiB of it) twice over, as much again
/// to be sent, hyper's state, tasks and allocator.
const CONNECTION: u64 = 64;
/// What a hub takes that has nothing to do, and its debug build, in KiB.
const REST: u64 = 64 * 1024;
/// Above what it had before the siege, in KiB.
const BOUND: u64 = 2 * BODIES + ATTACKERS as u64 * CONNECTION + REST;

/// Resident memory of `process` now, or at its highest (`VmHWM`), in KiB.
fn memory(process: Pid, which: &str) -> u64 {
    let status = format!("/proc/{}/status", process.as_raw_nonzero());
    let status = fs::read_to_string(status).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(which)).expect("a size");
    line.trim_matches([':', '\t', ' ']).trim_end_matches(" kB").trim().parse().expect("a number")
}

/// One who means harm, in one of several ways.
async fn attack(url: String, number: usize) {
    let mut raw = Raw::open(&url).await;
    let post = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    match number % 8 {
        // Says nothing.
        0 => {}
        // Begins a head, and goes on with it byte by byte.
        1 => {
            while raw.socket.write_all(b"G").await.is_ok() {
                sleep(Duration::from_millis(500)).await;
            }
        }
        // A flood of junk.
        2 => while raw.socket.write_all(&[b'x'; 16 * 1024]).await.is_ok() {},
        // A large body that does not end.
        3 => {
            let head = format!("{post}content-length: 4194304\r\n\r\n");
            drop(raw.socket.write_all(head.as_bytes()).await);
            for _ in 0..255 {
                if raw.socket.write_all(&[b' '; 16 * 1024]).await.is_err() {
                    break;
                }
            }
        }
        // Asks for file after file, or for an event stream, and reads nothing.
        4 => {
            let ask = "GET /client.js HTTP/1.1\r\nhost: localhost\r\n\r\n";
            drop(raw.socket.write_all(ask.repeat(300).as_bytes()).await);
        }
        5 => {
            let ask = "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n";
            drop(raw.socket.write_all(ask.as_bytes()).await);
        }
        // Headers over HTTP/2 that never end (CONTINUATION, RFC 9113 §6.10).
        6 => {
            let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
            let headers = b"\0\0\x01\x01\0\0\0\0\x01\x82";
            let more = [&b"\0\x10\0\x09\0\0\0\0\x01"[..], &[0x82; 4096]].concat();
            drop(raw.socket.write_all(&[&preface[..], headers].concat()).await);
            while raw.socket.write_all(&more).await.is_ok() {}
        }
        // Comes and goes.
        _ => loop {
            raw = Raw::open(&url).await;
            drop(raw.socket.write_all(post.as_bytes()).await);
            sleep(Duration::from_millis(300)).await;
        },
    }
    // Stays, and reads nothing.
    std::future::pending::<()>().await;
    drop(raw);
}

/// Whether bounds of every kind have held somebody off.
async fn have_been_hit(url: &str) -> bool {
    let metrics = reqwest::Client::builder().no_proxy().build().expect("a client");
    let metrics = metrics.get(format!("{url}/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("a body");
    ["request_head_time", "request_bodies", "write_stall"].iter().all(|limit| {
        metrics.contains(&format!("mcp_hub_limit_hits_total{{limit=\"limits.{limit}\"}}"))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_under_siege_keeps_its_memory_and_its_clients() {
    mcp_hub::serving::allow_open_files(ATTACKERS);
    let folder = tempdir().expect("a folder");
    let settings = format!(
        "listen = '127.0.0.1:0'\n[limits]\ncalls_per_second = 1000000\ncalls_burst = 1000000\nrequest_bodies = '{BODIES} KiB'\nrequest_head = '8 KiB'\n\
         request_head_time = '3s'\nrequest_body_time = '3s'\nwrite_stall = '3s'\n"
    );
    fs::write(folder.path().join("mcp-hub.toml"), settings).expect("written");
    let hub = Process::start(folder.path(), &[], &[("MCP_HUB_LOG__FILTER", "warn")]).await;
    let process = Pid::from_raw(hub.id()).expect("a process");
    let mut provider = TestProvider::dial_at(hub.url(), None).await.expect("let in");
    provider.register("p", &[tool("t")]).await;
    let _serving = provider.serve(|_| text("done"));
    let client = McpClient::at(hub.url());
    assert_eq!(client.call("t", json!({})).await.said(), "done");
    let before = memory(process, "VmRSS");

    let mut attackers = JoinSet::new();
    for number in 0..ATTACKERS {
        attackers.spawn(attack(hub.url().to_owned(), number));
    }
    let (begun, mut calls, mut longest) = (Instant::now(), 0, Duration::ZERO);
    while begun.elapsed() < SIEGE || calls < CALLS_MIN || !have_been_hit(hub.url()).await {
        let asked = Instant::now();
        let answer = timeout(CALL_MAX, client.call("t", json!({}))).await;
        assert_eq!(answer.expect("an answer in time").said(), "done");
        longest = longest.max(asked.elapsed());
        calls += 1;
    }
    let highest = memory(process, "VmHWM");
    println!("{calls} calls, the longest {longest:?}; memory {before} KiB, at most {highest} KiB");
    assert!(highest < before + BOUND, "{before} KiB before, {highest} KiB at most");
    attackers.shutdown().await;
    assert_eq!(client.call("t", json!({})).await.said(), "done", "nor is it hurt afterwards");
    let ended = hub.stopped().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
