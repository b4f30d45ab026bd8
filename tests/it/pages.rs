//! The pages as they leave the hub; what becomes of them in a browser is seen in `tests/browser`.

use reqwest::{Client, Response, StatusCode};

use crate::support::{McpClient, TestHub, TestProvider, provider::tool};

async fn get(hub: &TestHub, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Client::new().get(format!("{}{path}", hub.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

/// A page as a browser reads it, as far as URLs go.
async fn page(hub: &TestHub, path: &str, headers: &[(&str, &str)]) -> String {
    let html = get(hub, path, headers).await.text().await.expect("a page");
    html.replace("&#x2f;", "/")
}

#[tokio::test]
async fn pages_may_do_little_and_are_for_known_hosts() {
    let hub = TestHub::with_users().await;
    for path in ["/", "/dashboard"] {
        let page = get(&hub, path, &[]).await;
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        let headers = page.headers();
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        let policy = headers["content-security-policy"].to_str().expect("text");
        for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let html = page.text().await.expect("a page");
        assert!(!html.contains("<script>") && !html.contains(" style=") && !html.contains("{{"));
        let elsewhere = get(&hub, path, &[("host", "evil.example.com")]).await;
        assert_eq!(elsewhere.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn everything_a_page_loads_is_there() {
    let hub = TestHub::start().await;
    for path in ["/", "/dashboard"] {
        let html = get(&hub, path, &[]).await.text().await.expect("a page");
        let loaded: Vec<_> = html
            .split(['"', '\''])
            .filter(|text| text.starts_with("assets/") || *text == "client.ts")
            // From where the page is, so that a hub may be below a path of its proxy's.
            .map(|text| format!("/{text}"))
            .collect();
        assert!(loaded.len() > 2, "{path}: {loaded:?}");
        for asset in loaded {
            let answer = get(&hub, &asset, &[]).await;
            assert_eq!(answer.status(), StatusCode::OK, "{asset}");
            let etag = answer.headers()["etag"].to_str().expect("a tag").to_owned();
            let again = get(&hub, &asset, &[("if-none-match", &etag)]).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{asset}");
        }
    }
    for path in ["/assets/", "/assets/none.js", "/assets/..%2fmod.rs", "/assets/%2fetc%2fpasswd"] {
        assert_eq!(get(&hub, path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_landing_page_names_the_hub_as_its_visitor_reached_it_or_as_configured() {
    let hub = TestHub::start().await;
    let _provider = TestProvider::offering(&hub, "p", &[tool("a"), tool("b"), tool("c")]).await;
    assert_eq!(McpClient::new(&hub).tools().await.len(), 3);
    let html = page(&hub, "/", &[]).await;
    assert!(html.contains(&format!("{}/mcp", hub.url())), "{html}");
    let html = page(&hub, "/", &[("host", "localhost:4711")]).await;
    assert!(html.contains("http://localhost:4711/mcp"), "{html}");

    let hub = TestHub::with(|config| {
        config.public_url = Some("https://hub.example.com/tools/".parse().expect("a URL"));
    })
    .await;
    let html = page(&hub, "/", &[]).await;
    assert!(html.contains("https://hub.example.com/tools/mcp"), "{html}");
}
