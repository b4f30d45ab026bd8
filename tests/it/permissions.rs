//! What a plugin may do: each permission refused without its grant, and granted with it.

use std::{fs, os::unix::fs::symlink};

use axum::{Router, response::Redirect, routing::get};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

use crate::support::{
    McpClient, TestHub,
    guest::{Body, Guest, tool, wasi},
    plugins::{Folder, fault, status},
};

/// A hub with one plugin, which does this and may do that.
async fn hub(folder: &Folder, body: Body, manifest: &str) -> TestHub {
    folder.put("it.wasm", Guest::of("do", body).build());
    folder.put("it.toml", manifest);
    let hub = folder.hub().await;
    let statuses = hub.plugins().statuses(None);
    assert_eq!(statuses[0].fault, None);
    hub
}

async fn done(hub: &TestHub) -> String {
    McpClient::new(hub).call("do", json!({})).await.said().to_owned()
}

/// What its calls were refused, as the API tells it.
async fn denied(hub: &TestHub) -> String {
    status(hub, None, "it").await.expect("it is there")["denied"].to_string()
}

/// A server on loopback: `/` answers, `/away` leads elsewhere.
async fn server() -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let routes = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/away", get(|| async { Redirect::temporary("http://169.254.169.254/latest") }));
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
    (address, serving)
}

#[tokio::test]
async fn the_network_is_closed_without_a_grant() {
    let (address, _server) = server().await;
    let folder = Folder::new();
    let hub = hub(&folder, wasi::fetch(&address, "/"), "").await;
    assert_eq!(done(&hub).await, "error: HTTP-request-denied");
    let denied = denied(&hub).await;
    assert!(denied.contains(&format!("GET http://{address}")), "{denied}");
    assert!(denied.contains(&format!(r#"network = [\"http://{address}\"]"#)), "{denied}");
}

#[tokio::test]
async fn a_host_that_is_granted_is_reached() {
    let (address, _server) = server().await;
    let folder = Folder::new();
    let manifest = format!("[permissions]\nnetwork = ['http://{address}']");
    let hub = hub(&folder, wasi::fetch(&address, "/"), &manifest).await;
    assert_eq!(done(&hub).await, "200 hello");
    assert_eq!(denied(&hub).await, "[]");
}

#[tokio::test]
async fn a_grant_is_for_its_port_and_scheme_only() {
    let (address, _server) = server().await;
    let folder = Folder::new();
    let manifest = "[permissions]\nnetwork = ['http://127.0.0.1', 'https://*']";
    let hub = hub(&folder, wasi::fetch(&address, "/"), manifest).await;
    assert_eq!(done(&hub).await, "error: HTTP-request-denied");
}

#[tokio::test]
async fn a_private_address_is_refused_unless_it_is_named() {
    let (address, _server) = server().await;
    let port = address.rsplit_once(':').expect("a port").1;
    let refused = "error: destination-IP-prohibited";
    for (host, manifest, outcome) in [
        // Any host may be asked, but not one within.
        ("127.0.0.1", format!("network = ['http://*:{port}']"), refused),
        ("0x7f.1", format!("network = ['http://*:{port}']"), refused),
        ("[::ffff:127.0.0.1]", format!("network = ['http://*:{port}']"), refused),
        // A name that leads there is no better …
        ("localhost", format!("network = ['http://*:{port}']"), refused),
        // … unless it says so itself, or its network is named.
        ("localhost", format!("network = ['http://localhost:{port}']"), "200 hello"),
        (
            "localhost",
            format!("network = ['http://*:{port}']\naddresses = ['127.0.0.0/8', '::1']"),
            "200 hello",
        ),
        (
            "127.0.0.1",
            format!("network = ['http://*:{port}']\naddresses = ['127.0.0.1']"),
            "200 hello",
        ),
    ] {
        let folder = Folder::new();
        let manifest = format!("[permissions]\n{manifest}");
        let hub = hub(&folder, wasi::fetch(&format!("{host}:{port}"), "/"), &manifest).await;
        assert_eq!(done(&hub).await, outcome, "{host} with {manifest}");
        let denied = denied(&hub).await;
        let is_told = denied.contains("private address") && denied.contains("addresses = ");
        assert_eq!(is_told, outcome == refused, "{host} with {manifest}: {denied}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_for_the_guest() {
    let (address, _server) = server().await;
    let folder = Folder::new();
    let manifest = format!("[permissions]\nnetwork = ['http://{address}', 'http://*']");
    let guest = Guest::of("do", wasi::fetch(&address, "/away"))
        .tool(tool("follow", wasi::fetch("169.254.169.254", "/latest")));
    folder.put("it.wasm", guest.build());
    folder.put("it.toml", &manifest);
    let hub = folder.hub().await;
    assert_eq!(done(&hub).await, "307 ", "it is the guest's to follow");
    let followed = McpClient::new(&hub).call("follow", json!({})).await;
    assert_eq!(followed.said(), "error: destination-IP-prohibited");
}

#[tokio::test]
async fn variables_are_those_that_are_granted() {
    for (manifest, outcome) in [
        ("", ""),
        ("[permissions]\nenv = { MODE = 'fast', WAY = 'long' }", "MODE=fast\nWAY=long\n"),
    ] {
        let folder = Folder::new();
        let hub = hub(&folder, wasi::environment(), manifest).await;
        assert_eq!(done(&hub).await, outcome);
    }
    let folder = Folder::new();
    #[expect(clippy::disallowed_methods, reason = "what a plugin is given is compared with it")]
    let path = std::env::var("PATH").expect("a path");
    let granted = "[permissions]\nenv = { MINE = { from = 'PATH' } }";
    let hub = hub(&folder, wasi::environment(), granted).await;
    assert_eq!(done(&hub).await, format!("MINE={path}\n"));
    folder.put("it.toml", "[permissions]\nenv = { A = { from = 'NOT_THERE_AT_ALL' } }");
    assert!(fault(&hub, "it").await.contains("the hub has no variable NOT_THERE_AT_ALL"));
}

#[tokio::test]
async fn files_are_those_that_are_granted() {
    let folder = Folder::new();
    let data = folder.file("data");
    fs::create_dir(&data).expect("room");
    fs::write(data.join("note"), "a note").expect("room");
    fs::write(folder.file("secret"), "nobody's").expect("room");
    symlink(folder.file("secret"), data.join("way-out")).expect("room");

    let hub_of = async |body: Body, manifest: &str| hub(&folder, body, manifest).await;
    let read = "[permissions]\nread = ['./data']";
    let write = "[permissions]\nwrite = ['./data']";

    let hub = hub_of(wasi::read("note"), "").await;
    assert!(done(&hub).await.starts_with("error: "), "nothing is granted");
    let told = denied(&hub).await;
    assert!(told.contains("reading /note") && told.contains("would need read"), "{told}");
    assert_eq!(done(&hub_of(wasi::read("note"), read).await).await, "a note");

    let hub = hub_of(wasi::write("new", "words"), read).await;
    assert!(done(&hub).await.starts_with("error: "), "it may only read");
    assert!(denied(&hub).await.contains("would need write"), "{}", denied(&hub).await);
    assert!(!data.join("new").exists());
    assert_eq!(done(&hub_of(wasi::write("new", "words"), write).await).await, "5");
    assert_eq!(fs::read_to_string(data.join("new")).expect("written"), "words");

    for path in ["../secret", "/etc/passwd", "way-out", "./../secret", "a/../../secret"] {
        let hub = hub_of(wasi::read(path), write).await;
        let done = done(&hub).await;
        assert!(done.starts_with("error: "), "{path} leads out of the folder: {done}");
    }
}

#[tokio::test]
async fn a_tool_that_fails_is_told_which_grant_was_missing() {
    let (address, _server) = server().await;
    let Body::Say(fetch) = wasi::fetch(&address, "/") else { panic!("it says what it got") };
    for (body, code) in [
        (Body::IsError("cannot".into()), None),
        (Body::Error("failed", "cannot".into()), None),
        (Body::Trap, None),
        (Body::Error("invalid-arguments", "cannot".into()), Some(-32602)),
    ] {
        let folder = Folder::new();
        let hub = hub(&folder, Body::After(fetch.clone(), Box::new(body)), "").await;
        let answer = McpClient::new(&hub).call("do", json!({})).await;
        let grant = format!(r#"network = [\\\"http://{address}\\\"]"#);
        let grant = grant.replace("\\\\", "");
        let text = answer.text.replace('\\', "");
        assert!(text.contains(&grant.replace('\\', "")), "{text} names {grant}");
        if let Some(code) = code {
            assert_eq!(answer.code(), code);
        }
    }
}
