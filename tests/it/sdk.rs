//! The provider client for JavaScript as the hub serves it, and what a page learns of a refusal.

use std::fs;

use reqwest::{Client, Method, Response, StatusCode, header::HeaderMap};

use crate::support::{TestHub, hub::token};

async fn get(hub: &TestHub, path: &str, headers: &[(&str, &str)]) -> Response {
    ask(hub, Method::GET, path, headers).await
}

async fn ask(hub: &TestHub, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Client::new().request(method, format!("{}{path}", hub.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

fn said<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().expect("plain text"))
}

#[tokio::test]
async fn the_client_is_served_as_it_stands_in_the_repository() {
    let hub = TestHub::with_users().await;
    for (path, kind) in
        [("/client.ts", "application/typescript"), ("/client.js", "text/javascript")]
    {
        // As a page elsewhere imports it.
        let answer = get(&hub, path, &[("origin", "https://elsewhere.example")]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let headers = answer.headers().clone();
        assert!(said(&headers, "content-type").expect("a type").starts_with(kind));
        assert_eq!(said(&headers, "access-control-allow-origin"), Some("*"));
        assert_eq!(said(&headers, "x-content-type-options"), Some("nosniff"));
        let file = fs::read_to_string(format!("sdk/typescript{path}")).expect("the file");
        assert!(answer.text().await.expect("text") == file, "{path} is another");

        let etag = said(&headers, "etag").expect("a tag");
        for known in [etag, "*", &format!("\"other\", W/{etag}")] {
            let again = get(&hub, path, &[("if-none-match", known)]).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(said(again.headers(), "etag"), Some(etag));
        }
        let changed = get(&hub, path, &[("if-none-match", "\"other\"")]).await;
        assert_eq!(changed.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_page_that_is_let_in_may_learn_why_its_token_is_not() {
    let hub = TestHub::with_users().await;
    let origin = "http://localhost:5173";
    let preflight = ask(
        &hub,
        Method::OPTIONS,
        "/clients/ws",
        &[
            ("origin", origin),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "authorization"),
        ],
    )
    .await;
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert_eq!(said(preflight.headers(), "access-control-allow-origin"), Some(origin));
    assert_eq!(said(preflight.headers(), "access-control-allow-headers"), Some("authorization"));
    let good = format!("Bearer {}", token("alice"));
    for (bearer, status) in
        [("Bearer bad", StatusCode::UNAUTHORIZED), (&good, StatusCode::BAD_REQUEST)]
    {
        let headers = [("origin", origin), ("authorization", bearer)];
        let answer = get(&hub, "/clients/ws", &headers).await;
        assert_eq!(answer.status(), status);
        assert_eq!(said(answer.headers(), "access-control-allow-origin"), Some(origin));
        assert_eq!(said(answer.headers(), "vary"), Some("origin"));
    }
    for stranger in ["https://elsewhere.example", "null"] {
        let preflight = ask(&hub, Method::OPTIONS, "/clients/ws", &[("origin", stranger)]).await;
        assert_eq!(said(preflight.headers(), "access-control-allow-origin"), None);
        let answer = get(&hub, "/clients/ws", &[("origin", stranger)]).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert_eq!(said(answer.headers(), "access-control-allow-origin"), None);
    }
}
