//! `https` and `wss` by the hub itself, and certificates that are replaced under way.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use mcp_hub::provider_client::{Call, ProviderClient, State, Tool};
use reqwest::{StatusCode, Version, tls::TlsInfo};
use serde_json::json;
use tempfile::{TempDir, tempdir};
use tokio::{
    io::AsyncReadExt,
    process::Command,
    time::{Instant, timeout},
};

use crate::support::{
    McpClient, PATIENCE, TestHub,
    binary::{Process, run},
    identity::{Authority, Identity},
    provider::tool,
    raw::Raw,
};

/// Tells the test that runs in a process of its own where its certificates are.
const FOLDER: &str = "MCP_HUB_TEST_FOLDER";

/// A folder with what a hub needs to speak TLS, and whom to trust.
fn folder() -> (TempDir, Authority, Identity) {
    let (folder, authority) = (tempdir().expect("a folder"), Authority::new());
    let identity = authority.issue();
    identity.put(folder.path());
    fs::write(folder.path().join("ca.pem"), &authority.pem).expect("written");
    let settings = "listen = '127.0.0.1:0'\ntls = { cert = 'cert.pem', key = 'key.pem' }\n";
    fs::write(folder.path().join("mcp-hub.toml"), settings).expect("written");
    (folder, authority, identity)
}

/// A client that trusts `authority` and sees whom it talks to.
fn trusting(authority: &str) -> reqwest::ClientBuilder {
    let authority = reqwest::Certificate::from_pem(authority.as_bytes()).expect("a certificate");
    reqwest::Client::builder().no_proxy().tls_info(true).tls_certs_only([authority])
}

/// The certificate that a new connection is shown.
async fn shown(authority: &str, url: &str) -> Vec<u8> {
    let http = trusting(authority).build().expect("a client");
    let response = http.get(format!("{url}/healthz")).send().await.expect("a response");
    let info = response.extensions().get::<TlsInfo>().expect("TLS");
    info.peer_certificate().expect("a certificate").to_owned()
}

/// Waits until the hub has counted one certificate that was `taken` or `refused`.
async fn until_counted(http: &reqwest::Client, url: &str, outcome: &str) {
    let line = format!("mcp_hub_certificates_total{{outcome=\"{outcome}\"}} 1");
    until_shown(http, url, &line).await;
}

/// Waits until the metrics show `line`, or one that begins so.
async fn until_shown(http: &reqwest::Client, url: &str, line: &str) {
    let shown = async {
        loop {
            let metrics = http.get(format!("{url}/metrics")).send().await.expect("a response");
            if metrics.text().await.expect("a body").contains(line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, shown).await.unwrap_or_else(|_| panic!("never counted: {line}"));
}

#[tokio::test]
async fn clients_and_providers_stay_connected_while_the_certificate_is_replaced() {
    // In a process of its own, for whom the Rust client trusts is a matter of its environment.
    let (folder, ..) = folder();
    let mut alone = Command::new(std::env::current_exe().expect("this program"));
    alone.args(["--exact", "tls::a_certificate_is_replaced", "--ignored", "--nocapture"]);
    alone.env("SSL_CERT_FILE", folder.path().join("ca.pem")).env(FOLDER, folder.path());
    let output = alone.kill_on_drop(true).output().await.expect("it runs");
    let said = [output.stdout, output.stderr]
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "the test above runs it, in a process of its own"]
async fn a_certificate_is_replaced() {
    #[expect(clippy::disallowed_methods, reason = "the test that started this one says where")]
    let folder = PathBuf::from(std::env::var(FOLDER).expect("a folder"));
    let authority = Authority::new();
    let pem = authority.pem.clone();
    fs::write(folder.join("ca.pem"), &pem).expect("written");
    let [first, second, third] = [(); 3].map(|()| authority.issue());
    first.put(&folder);
    let hub = Process::start(&folder, &[], &[]).await;
    let url = hub.url();
    assert!(url.starts_with("https://"), "{url}");
    assert!(hub.announced.contains("wss://"), "{}", hub.announced);

    let namesake = |name| Tool::new(tool(name), move |_call: Call| std::future::ready(name));
    let provider = ProviderClient::builder(url).expect("a URL").tool(namesake("t"));
    let provider = provider.connect().await.expect("let in over wss");
    let mut state = provider.state();
    state.mark_unchanged();
    let http1 = trusting(&pem).http1_only().build().expect("a client");
    let http2 = trusting(&pem).build().expect("a client");
    for (http, version) in [(&http1, Version::HTTP_11), (&http2, Version::HTTP_2)] {
        let client = McpClient::over(http.clone(), url);
        let response = client.modern_request("tools/list", json!({})).send().await;
        assert_eq!(response.expect("a response").version(), version);
        assert_eq!(client.call("t", json!({})).await.said(), "t");
    }
    let client = McpClient::over(http2.clone(), url);
    let mut events = client.listen().await;
    assert_eq!(shown(&pem, url).await, first.der);

    second.put(&folder);
    until_counted(&http1, url, "taken").await;
    assert_eq!(shown(&pem, url).await, second.der, "who comes now sees the new one");

    fs::write(folder.join("key.pem"), &third.key).expect("written");
    until_counted(&http1, url, "refused").await;
    assert_eq!(shown(&pem, url).await, second.der, "a key that does not fit is not taken");

    assert!(!state.has_changed().expect("it lives"), "the provider was never disconnected");
    assert!(matches!(*state.borrow(), State::Registered(_)));
    assert_eq!(client.call("t", json!({})).await.said(), "t");
    let other = ProviderClient::builder(url).expect("a URL").tool(namesake("other"));
    let _other = other.connect().await.expect("let in over wss");
    let heard = events.next().await.expect("the stream goes on");
    assert_eq!(heard["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_certificate_is_replaced_by_a_link_that_is_set_to_another_folder() {
    let (folder, authority) = (tempdir().expect("a folder"), Authority::new());
    let link = |version: &str| {
        let identity = authority.issue();
        let target = folder.path().join(version);
        fs::create_dir(&target).expect("a folder");
        identity.put(&target);
        let beside = folder.path().join("beside");
        std::os::unix::fs::symlink(target, &beside).expect("a link");
        fs::rename(beside, folder.path().join("current")).expect("moved");
        identity.der
    };
    let first = link("first");
    let hub = TestHub::with(|config| {
        config.tls.cert = Some(folder.path().join("current/cert.pem"));
        config.tls.key = Some(folder.path().join("current/key.pem"));
    })
    .await;
    assert_eq!(shown(&authority.pem, hub.url()).await, first);
    let second = link("second");
    let seen = async {
        while shown(&authority.pem, hub.url()).await != second {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, seen).await.expect("the second is served");
}

#[tokio::test]
async fn one_connection_too_many_is_hung_up_on() {
    let (folder, authority, _) = folder();
    let hub = TestHub::with(|config| {
        config.tls.cert = Some(folder.path().join("cert.pem"));
        config.tls.key = Some(folder.path().join("key.pem"));
        config.limits.connections = NonZeroUsize::new(1).expect("not zero");
    })
    .await;
    let ask = async || {
        let http = trusting(&authority.pem).build().expect("a client");
        http.get(format!("{}/healthz", hub.url())).send().await.map(|answer| (http, answer))
    };
    let held = ask().await.expect("let in");
    assert!(ask().await.is_err());
    drop(held);
    let served = async { while ask().await.is_err() {} };
    timeout(PATIENCE, served).await.expect("there is room again");
}

#[tokio::test]
async fn the_command_line_trusts_whom_its_environment_names() {
    let (folder, ..) = folder();
    let hub = Process::start(folder.path(), &[], &[]).await;
    let url = hub.url().replace("127.0.0.1", "localhost");
    let arguments = ["tools", "--url", &url];
    let ca = folder.path().join("ca.pem");
    let trusting = [("SSL_CERT_FILE", ca.to_str().expect("UTF-8"))];
    let ended = run(folder.path(), &arguments, &trusting).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = run(folder.path(), &arguments, &[]).await;
    assert_ne!(ended.code, Some(0), "a stranger's certificate: {ended:?}");
    assert!(ended.stderr.to_lowercase().contains("certificate"), "{}", ended.stderr);
}

#[tokio::test]
async fn what_is_wrong_with_certificate_or_key_is_said_at_the_start() {
    let (_, _, other) = folder();
    type Spoil = fn(&Path, &Identity);
    for (spoil, parts) in [
        (
            (|folder, _| fs::remove_file(folder.join("cert.pem")).expect("removed")) as Spoil,
            &["tls.cert", "cert.pem", "cannot be read"][..],
        ),
        (
            |folder, _| fs::remove_file(folder.join("key.pem")).expect("removed"),
            &["tls.key", "key.pem", "cannot be read"],
        ),
        (
            |folder, _| fs::write(folder.join("cert.pem"), "nothing").expect("written"),
            &["tls.cert", "cert.pem", "no certificate"],
        ),
        (
            |folder, _| fs::write(folder.join("key.pem"), "nothing").expect("written"),
            &["tls.key", "key.pem", "no private key"],
        ),
        (
            |folder, other| fs::write(folder.join("key.pem"), &other.key).expect("written"),
            &["tls.key", "tls.cert", "key.pem", "cert.pem", "do not go together"],
        ),
        (
            |folder, _| fs::write(folder.join("key.pem"), vec![b' '; 1 << 21]).expect("written"),
            &["tls.key", "key.pem", "larger than 1 MiB"],
        ),
    ] {
        let (folder, ..) = folder();
        spoil(folder.path(), &other);
        let ended = run(folder.path(), &[], &[]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for part in parts {
            assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
        }
    }
}

/// A hub in this process that speaks TLS.
async fn hub() -> (TestHub, TempDir, Authority) {
    let (folder, authority, _) = folder();
    let hub = TestHub::with(|config| {
        config.tls.cert = Some(folder.path().join("cert.pem"));
        config.tls.key = Some(folder.path().join("key.pem"));
    })
    .await;
    (hub, folder, authority)
}

#[tokio::test]
async fn plain_http_is_told_that_this_port_speaks_tls() {
    let (hub, ..) = hub().await;
    let answer = Raw::open(hub.url()).await.get("/").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
}

#[tokio::test]
async fn who_begins_no_handshake_is_hung_up_on() {
    let patience = Duration::from_millis(200);
    let (folder, authority, _) = folder();
    let environment = [("MCP_HUB_LIMITS__TLS_HANDSHAKE_TIME", "200ms")];
    let hub = Process::start(folder.path(), &[], &environment).await;
    let begun = Instant::now();
    let mut silent = Raw::open(hub.url()).await;
    let mut halfway = Raw::open(hub.url()).await;
    halfway.socket.try_write(&[22, 3, 1, 1]).expect("written");
    let http = trusting(&authority.pem).build().expect("a client");
    let response = http.get(format!("{}/healthz", hub.url())).send().await.expect("a response");
    assert_eq!(response.status(), StatusCode::OK);
    for socket in [&mut silent.socket, &mut halfway.socket] {
        let read = timeout(PATIENCE, socket.read(&mut [0])).await.expect("hung up on in time");
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
        assert!(begun.elapsed() >= patience, "after {:?}", begun.elapsed());
    }
    let counted = r#"mcp_hub_limit_hits_total{limit="limits.tls_handshake_time"}"#;
    until_shown(&http, hub.url(), counted).await;
}

#[tokio::test]
async fn half_a_handshake_does_not_hold_up_a_stop() {
    let (hub, ..) = hub().await;
    let halfway = Raw::open(hub.url()).await;
    halfway.socket.try_write(&[22, 3, 1]).expect("written");
    let begun = Instant::now();
    hub.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "it took {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_hub_with_tls_says_https_of_itself() {
    let (hub, _folder, authority) = hub().await;
    for http in [trusting(&authority.pem).http1_only(), trusting(&authority.pem)] {
        let http = http.build().expect("a client");
        let response = http.get(format!("{}/api/v1/hub", hub.url())).send().await;
        let told: serde_json::Value = response.expect("a response").json().await.expect("JSON");
        assert_eq!(told["endpoint"], format!("{}/mcp", hub.url()));
        let providers = hub.url().replace("https", "wss");
        assert_eq!(told["providers"], format!("{providers}/clients/ws"));
    }
}
