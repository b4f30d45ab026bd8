//! What a client may send, and be sent in one piece.

use bytesize::ByteSize;
use reqwest::StatusCode;
use serde_json::json;

use super::{count, hits, hub, nested, padded, tools};
use crate::support::{McpClient, TestHub, TestProvider};

#[tokio::test]
async fn a_request_may_have_so_many_bytes() {
    let hub = hub(|limits| limits.request_body = ByteSize::b(1_000)).await;
    let client = McpClient::new(&hub);
    let request = |method: &str| json!({ "jsonrpc": "2.0", "id": 1, "method": method });
    for (bytes, fits) in [(999, true), (1_000, true), (1_001, false), (1_000_000, false)] {
        let answer = McpClient::send(client.post(padded(bytes, request))).await;
        assert_eq!(answer.status != StatusCode::PAYLOAD_TOO_LARGE, fits, "{bytes}: {answer:?}");
        if !fits {
            let message = "the body is larger than 1000 bytes (limits.request_body)";
            assert_eq!(answer.error()["message"], message);
        }
    }
    assert_eq!(hits(&hub, "limits.request_body").await, 2);
}

#[tokio::test]
async fn a_clients_json_may_be_nested_so_deep() {
    let hub = hub(|limits| limits.json_depth = count(10)).await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    for (levels, fits) in [(9, true), (10, true), (11, false)] {
        let own = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"#;
        let answer =
            McpClient::send(session.post(format!("{own}{}}}}}", nested(levels - 2)))).await;
        assert_eq!(answer.message().get("result").is_some(), fits, "{levels}: {answer:?}");
        if !fits {
            assert_eq!(answer.code(), -32700);
            let message = "the JSON is nested deeper than 10 levels (limits.json_depth)";
            assert_eq!(answer.error()["message"], message);
        }
    }
    assert_eq!(hits(&hub, "limits.json_depth").await, 1);
}

#[tokio::test]
async fn a_page_of_the_list_has_so_many_tools() {
    let hub = hub(|limits| limits.tools_per_page = count(2)).await;
    let client = McpClient::new(&hub);
    let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
    for (number, pages) in [(1, vec![1]), (2, vec![2]), (3, vec![2, 1]), (5, vec![2, 2, 1])] {
        provider.register("p", &tools(number, "t")).await;
        let (mut sizes, mut params) = (Vec::new(), json!({}));
        loop {
            let answer = client.modern("tools/list", params).await;
            sizes.push(answer.result()["tools"].as_array().expect("tools").len());
            match answer.result().get("nextCursor") {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => break,
            }
        }
        assert_eq!(sizes, pages, "{number} tools");
    }
}

#[tokio::test]
async fn what_a_client_says_of_itself_has_a_bound() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    const MAX: usize = 16 * 1024;
    for (bytes, is_taken) in [(MAX - 1, true), (MAX, true), (MAX + 1, false)] {
        let name = "x".repeat(bytes - r#"{"name":""}"#.len());
        let params = json!({ "protocolVersion": "2025-11-25", "clientInfo": { "name": name } });
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let answer = McpClient::send(client.post(body.to_string())).await;
        assert_eq!(answer.headers.contains_key("mcp-session-id"), is_taken, "{bytes} bytes");
        assert_eq!(answer.message().get("error").is_none(), is_taken, "{bytes} bytes");
    }
}

#[tokio::test]
async fn a_request_id_has_a_bound() {
    let hub = TestHub::start().await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    for (letters, status) in [(1021, 200), (1022, 200), (1023, 400)] {
        let id = "x".repeat(letters);
        let ping = json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
        let answer = McpClient::send(session.post(ping.to_string())).await;
        assert_eq!(answer.status.as_u16(), status, "{letters} letters and two quotes");
    }
}

#[tokio::test]
async fn a_batch_may_have_so_many_messages() {
    let hub = hub(|limits| limits.batch = count(3)).await;
    let session = McpClient::new(&hub).initialize("2025-03-26").await;
    for (number, fits) in [(2, true), (3, true), (4, false)] {
        let ping = |id| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
        let batch = json!((0..number).map(ping).collect::<Vec<_>>());
        let answer = McpClient::send(session.post(batch.to_string())).await;
        assert_eq!(answer.status == StatusCode::OK, fits, "{number} messages: {answer:?}");
        if !fits {
            assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
            let message = "the batch has more than 3 messages (limits.batch)";
            assert_eq!(answer.error()["message"], message);
        }
    }
    assert_eq!(hits(&hub, "limits.batch").await, 1);
}
