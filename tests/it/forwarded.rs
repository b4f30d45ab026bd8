//! What a proxy says of a request: believed of one that is trusted, and of nobody else.

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::TestHub;

/// A hub to which the tests are a proxy, trusted or not.
async fn behind(proxy: &str) -> TestHub {
    TestHub::with(|config| {
        config.trusted_proxies = vec![proxy.to_owned().try_into().expect("a network")];
        config.allowed_hosts = vec!["hub.example.com".into()];
    })
    .await
}

/// The status and the endpoint that a client is told which was forwarded with these headers.
async fn told(hub: &TestHub, headers: &[(&str, &str)]) -> (StatusCode, String) {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = http.get(format!("{}/api/v1/hub", hub.url()));
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.expect("a response");
    let status = response.status();
    let body = response.json().await.unwrap_or(Value::Null);
    (status, body["endpoint"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_trusted_proxy_says_under_which_url_the_hub_was_found() {
    let hub = behind("127.0.0.0/8").await;
    let own = format!("{}/mcp", hub.url());
    for (headers, expected) in [
        (&[][..], own.as_str()),
        (
            &[("x-forwarded-proto", "https"), ("x-forwarded-host", "hub.example.com")],
            "https://hub.example.com/mcp",
        ),
        (&[("x-forwarded-host", "hub.example.com:81")], "http://hub.example.com:81/mcp"),
        (
            &[("x-forwarded-proto", "https"), ("host", "hub.example.com")],
            "https://hub.example.com/mcp",
        ),
    ] {
        assert_eq!(told(&hub, headers).await, (StatusCode::OK, expected.to_owned()), "{headers:?}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_does_not_open_the_hub_to_other_hosts() {
    let hub = behind("127.0.0.1").await;
    let (status, _) = told(&hub, &[("x-forwarded-host", "evil.example.com")]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = told(&hub, &[("x-forwarded-host", "user@hub.example.com")]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn of_anybody_else_nothing_is_believed() {
    let hub = behind("192.0.2.1").await;
    let forwarded = [("x-forwarded-proto", "https"), ("x-forwarded-host", "hub.example.com")];
    let own = format!("{}/mcp", hub.url());
    assert_eq!(told(&hub, &forwarded).await, (StatusCode::OK, own));
    let disguised = [("host", "evil.example.com"), ("x-forwarded-host", "hub.example.com")];
    assert_eq!(told(&hub, &disguised).await.0, StatusCode::FORBIDDEN);
}
