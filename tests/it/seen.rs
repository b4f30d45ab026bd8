//! What machines see of a hub: metrics that are all written down, a log that tells of calls and nothing
//! of what was said in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{
    McpClient, TestProvider,
    binary::Process,
    hub::SECRET,
    provider::{described, text, tool},
};

/// Kind and labels of each metric, by its name.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// What `docs/metrics.md` lists.
fn documented() -> Metrics {
    let text = fs::read_to_string("docs/metrics.md").expect("the list");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let metric = |row: &str| {
        let mut cells = row.split('|').map(str::trim);
        let name = cells.next()?.strip_suffix('`')?.to_owned();
        let (kind, labels) = (cells.next()?.to_owned(), cells.next()?);
        let labels = labels.split(", ").map(|label| label.trim_matches('`').to_owned());
        Some((name, (kind, labels.filter(|label| !label.is_empty()).collect())))
    };
    rows.filter_map(metric).collect()
}

/// What `/metrics` shows; every one of it has to say what it means.
fn shown(metrics: &str) -> Metrics {
    let kinds = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut shown: Metrics =
        kinds.map(|(name, kind)| (name.into(), (kind.into(), BTreeSet::new()))).collect();
    for name in shown.keys() {
        assert!(metrics.contains(&format!("# HELP {name} ")), "{name} says nothing");
    }
    for sample in metrics.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, labels)) = sample.split_once('{') else { continue };
        let of_histogram =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let of_histogram = of_histogram.filter(|base| shown.contains_key(*base));
        let (_, known) = shown.get_mut(of_histogram.unwrap_or(name)).expect("it has a type");
        let (labels, _) = labels.split_once('}').expect("an end");
        let names = labels.split(',').filter_map(|label| label.split('=').next());
        known.extend(names.filter(|name| *name != "le").map(str::to_owned));
    }
    shown
}

#[tokio::test]
async fn every_metric_is_written_down_and_every_one_written_down_is_shown() {
    let folder = tempdir().expect("a folder");
    let environment = [
        ("MCP_HUB_LIMITS__STREAMS_PER_USER", "1"),
        // Nobody is there.
        ("MCP_HUB_OTLP__ENDPOINT", "http://127.0.0.1:9"),
    ];
    let hub = Process::start(folder.path(), &["--listen", "127.0.0.1:0"], &environment).await;
    let mut provider = TestProvider::dial_at(hub.url(), None).await.expect("let in");
    provider.register("p", &[described("t", "One thing")]).await;
    provider.register("p", &[described("t", "Another thing")]).await;
    let mut leaving = TestProvider::dial_at(hub.url(), None).await.expect("let in");
    leaving.say_text("no JSON").await;
    assert_eq!(leaving.close_code().await, 1008);
    let _serving = provider.serve(|_| text("done"));
    let client = McpClient::at(hub.url());
    let session = client.initialize("2025-11-25").await;
    assert_eq!(session.call(1, "t", json!({})).await.said(), "done");
    let _listening = client.listen().await;
    let second = client.modern_request("subscriptions/listen", json!({ "notifications": {} }));
    assert_eq!(McpClient::send(second).await.status, 429);
    let foreign = client.modern_request("tools/list", json!({})).header("host", "evil.example");
    assert_eq!(McpClient::send(foreign).await.status, 403);
    let closed = r#"mcp_hub_provider_connections_closed_total{reason="bad_frame"} 1"#;
    let metrics = hub.metrics_with(&[closed, "mcp_hub_provider_connections 1"]).await;
    let (shown, documented) = (shown(&metrics), documented());
    let differs = |(name, _): &(&String, _)| shown.get(*name) != documented.get(*name);
    let differing: Vec<_> = shown.iter().chain(&documented).filter(differs).collect();
    assert!(differing.is_empty(), "shown is not what is written down: {differing:#?}");
    for line in [
        r#"mcp_hub_calls_total{outcome="ok",era="legacy"} 1"#,
        r#"mcp_hub_attempts_total{outcome="answered",kind="remote"} 1"#,
        r#"mcp_hub_attempt_duration_seconds_count{kind="remote"} 1"#,
        r#"mcp_hub_limit_hits_total{limit="limits.streams_per_user"} 1"#,
        r#"mcp_hub_refusals_total{reason="host"} 1"#,
        r#"mcp_hub_requests_total{method="POST",status="2xx"} 3"#,
        r#"mcp_hub_requests_total{method="POST",status="4xx"} 2"#,
        r#"mcp_hub_registrations_total{outcome="accepted"} 2"#,
        "mcp_hub_definition_changes_total 1",
        "mcp_hub_sessions 1",
        "mcp_hub_streams 1",
        "mcp_hub_tools 1",
    ] {
        assert!(metrics.lines().any(|have| have == line), "{line} in\n{metrics}");
    }
    // What one asks of and is told, up to the last byte.
    let bytes = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|count| count.parse::<u64>().ok()).expect("a count")
    };
    assert!(
        bytes("mcp_hub_request_bytes_total") > 200 && bytes("mcp_hub_answer_bytes_total") > 200
    );
}

#[test]
fn board_and_alerts_name_no_metric_that_is_not_there() {
    let documented = documented();
    for file in ["docs/grafana/mcp-hub.json", "docs/grafana/alerts.yml"] {
        let text = fs::read_to_string(file).expect("a file");
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        let words = text.split(|c| !is_part(c));
        let named: BTreeSet<_> = words
            .filter(|word| word.starts_with("mcp_hub_") || word.starts_with("process_"))
            .collect();
        assert!(named.len() > 10, "{file} names {named:?}");
        for name in named {
            let is_known = match name.strip_suffix("_bucket") {
                Some(base) => documented.get(base).is_some_and(|(kind, _)| kind == "histogram"),
                None => documented.contains_key(name),
            };
            assert!(is_known, "{file} names {name}");
        }
    }
    let board = fs::read_to_string("docs/grafana/mcp-hub.json").expect("the board");
    let board: Value = serde_json::from_str(&board).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an id of its own");
}

/// What is asked of Prometheus: by the board as it stands there, by the alerts with all that is around
/// it.
fn expressions() -> Vec<String> {
    fn of(value: &Value, all: &mut Vec<String>) {
        if let Some(expression) = value["expr"].as_str() {
            all.push(expression.to_owned());
        }
        let items = value.as_array().into_iter().flatten();
        let members = value.as_object().into_iter().flat_map(|object| object.values());
        items.chain(members).for_each(|inner| of(inner, all));
    }
    let read = |file: &str| fs::read_to_string(file).expect("a file");
    let board = serde_json::from_str(&read("docs/grafana/mcp-hub.json")).expect("JSON");
    let mut all = Vec::new();
    of(&board, &mut all);
    assert!(all.len() > 10, "the board asks for {all:?}");
    all.extend(read("docs/grafana/alerts.yml").split("- alert:").skip(1).map(str::to_owned));
    all
}

/// The metrics that are named in `expression`, each with what stands in braces behind it.
fn selected(expression: &str) -> Vec<(&str, &str)> {
    let starts = ["mcp_hub_", "process_"].into_iter();
    let starts = starts.flat_map(|start| expression.match_indices(start));
    let selected = starts.map(|(at, _)| {
        let rest = &expression[at..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let matchers = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let name = name.strip_suffix("_bucket").unwrap_or(name);
        (name, matchers.map_or("", |(matchers, _)| matchers))
    });
    selected.collect()
}

#[test]
fn board_and_alerts_ask_for_labels_that_metrics_have() {
    let documented = documented();
    let text = fs::read_to_string("docs/metrics.md").expect("the list");
    for expression in expressions() {
        let mut known = BTreeSet::from(["le"]);
        for (name, matchers) in selected(&expression) {
            let (_, labels) = documented.get(name).unwrap_or_else(|| panic!("{name} is unknown"));
            known.extend(labels.iter().map(String::as_str));
            for matcher in matchers.split(',').filter(|matcher| !matcher.is_empty()) {
                let (label, value) = matcher.split_once('=').expect("a label and a value");
                let label = label.trim_end_matches('!').trim();
                if ["job", "instance"].contains(&label) {
                    continue;
                }
                assert!(labels.contains(label), "{name} has no label {label}: {expression}");
                for value in value.trim_matches(['~', '"']).split('|') {
                    assert!(text.contains(&format!("`{value}`")), "{label} is never {value:?}");
                }
            }
        }
        for by in expression.split("by (").skip(1) {
            let (labels, _) = by.split_once(')').expect("an end");
            for label in labels.split(',').map(str::trim) {
                assert!(known.contains(label), "there is no label {label}: {expression}");
            }
        }
    }
}

/// Starts a hub in `folder` that logs as JSON, has `what` done to it, and gives back what it logged.
async fn logged(folder: &Path, what: impl AsyncFnOnce(&str)) -> Vec<Value> {
    let environment = [
        ("MCP_HUB_AUTH__SECRET", SECRET),
        ("MCP_HUB_LOG__FORMAT", "json"),
        ("MCP_HUB_LOG__FILTER", "info,mcp_hub=trace"),
    ];
    let hub = Process::start(folder, &["--listen", "127.0.0.1:0"], &environment).await;
    what(hub.url()).await;
    let ended = hub.stopped().await;
    let lines = ended.stderr.lines();
    lines.map(|line| serde_json::from_str(line).expect("a line is an event")).collect()
}

fn named<'a>(events: &'a [Value], message: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["message"] == message).collect()
}

fn fields(event: &Value) -> BTreeSet<&str> {
    event.as_object().expect("an event").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_call_is_one_event_with_who_what_where_and_how() {
    let folder = tempdir().expect("a folder");
    let token = crate::support::hub::token("alice");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let events = logged(folder.path(), async |url| {
        let mut provider = TestProvider::dial_at(url, Some(&token)).await.expect("let in");
        provider.register("p", &[tool("t")]).await;
        let _serving = provider.serve(|_| text("done"));
        let client = McpClient::at(url).with_token(token.clone());
        let meta = json!({ "traceparent": format!("00-{trace}-00f067aa0ba902b7-01") });
        let params = json!({ "name": "t", "arguments": {}, "_meta": meta });
        assert_eq!(client.modern("tools/call", params).await.said(), "done");
        client.call("missing", json!({})).await;
    })
    .await;
    let calls = named(&events, "call");
    let [answered, missing] = calls[..] else { panic!("two calls: {calls:?}") };
    let always = [
        "attempts",
        "duration_us",
        "level",
        "message",
        "outcome",
        "target",
        "timestamp",
        "tool",
        "user",
    ];
    let whole = [&always[..], &["provider", "trace"]].concat().into_iter().collect();
    assert_eq!(fields(answered), whole);
    assert_eq!(fields(missing), always.into());
    assert_eq!((&answered["user"], &answered["tool"]), (&json!("alice"), &json!("t")));
    assert_eq!((&answered["attempts"], &answered["outcome"]), (&json!(1), &json!("ok")));
    assert_eq!(answered["trace"], trace);
    assert!(answered["provider"].as_str().is_some_and(|id| id.starts_with("prv_")), "{answered}");
    assert_eq!(missing["outcome"], "unknown_tool");
}

#[tokio::test]
async fn a_definition_that_changes_is_one_event() {
    let folder = tempdir().expect("a folder");
    let token = crate::support::hub::token("alice");
    let events = logged(folder.path(), async |url| {
        let mut provider = TestProvider::dial_at(url, Some(&token)).await.expect("let in");
        provider.register("mail", &[described("send", "Sends a mail"), tool("other")]).await;
        provider.register("mail", &[described("send", "Sends a copy too"), tool("other")]).await;
    })
    .await;
    let changes = named(&events, "tool definition changed");
    let [change] = changes[..] else { panic!("one change: {changes:?}") };
    assert_eq!((&change["user"], &change["tool"]), (&json!("alice"), &json!("send")));
    assert_eq!((&change["name"], &change["instance"]), (&json!("mail"), &json!("mail")));
    assert_eq!((&change["listed"], &change["form_only"]), (&json!(true), &json!(false)));
    let digest = |key: &str| change[key].as_str().filter(|digest| digest.len() == 64);
    assert!(digest("before").is_some() && digest("before") != digest("digest"), "{change}");
}

#[tokio::test]
async fn nothing_that_was_said_and_no_token_is_ever_logged() {
    let folder = tempdir().expect("a folder");
    let token = crate::support::hub::token("alice");
    let events = logged(folder.path(), async |url| {
        let mut provider = TestProvider::dial_at(url, Some(&token)).await.expect("let in");
        provider.register("p", &[tool("t"), tool("breaks")]).await;
        let client = McpClient::at(url).with_token(token.clone());
        let secret = json!({ "password": "xyzzy-argument" });
        let answering = async {
            let (id, _) = provider.next_call().await;
            provider.answer(&id, text("xyzzy-result")).await;
            let (id, _) = provider.next_call().await;
            provider.answer(&id, json!("xyzzy-result that is none")).await;
        };
        let calling = async {
            assert_eq!(client.call("t", secret.clone()).await.said(), "xyzzy-result");
            client.call("t", secret.clone()).await;
        };
        tokio::join!(answering, calling);
        client.call("missing", secret.clone()).await;
        client.modern("tools/call", json!({ "name": "t", "arguments": ["xyzzy-argument"] })).await;
        McpClient::send(client.post(r#"{"xyzzy-argument": broken"#)).await;
        let bad = McpClient::at(url).with_token(format!("{token}xyzzy-token"));
        assert_eq!(bad.call("t", secret).await.status, 401);
        assert!(TestProvider::dial_at(url, Some("xyzzy-token")).await.is_err());
    })
    .await;
    let log = events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    assert!(named(&events, "call").len() >= 3, "{log}");
    for said in ["xyzzy", token.as_str(), SECRET] {
        assert!(!log.contains(said), "{said} in\n{log}");
    }
}
