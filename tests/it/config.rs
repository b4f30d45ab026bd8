//! Settings: where they come from, which outranks which, and what is said of a mistake.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use bytesize::ByteSize;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mcp_hub::{
    config::{self, Config, Flags},
    hub::router::AfterHandover,
    telemetry::Format,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::{
    McpClient, TestHub, TestProvider,
    binary::{Process, run},
    hub::SECRET,
    provider::tool,
};

fn folder() -> TempDir {
    tempdir().expect("a folder")
}

/// Loads `text` as a named file.
fn load(text: &str) -> Result<Config, String> {
    load_with(text, Flags::default())
}

fn load_with(text: &str, flags: Flags) -> Result<Config, String> {
    let folder = folder();
    let file = folder.path().join("hub.toml");
    fs::write(&file, text).expect("written");
    config::load(&Flags { config: Some(file), ..flags }).map_err(|fault| fault.to_string())
}

#[track_caller]
fn faulty(text: &str, parts: &[&str]) {
    let Err(message) = load(text) else { panic!("{text} should be refused") };
    for part in parts {
        assert!(message.contains(part), "no {part:?} in the message on {text:?}:\n{message}");
    }
}

type Shows = fn(&Config) -> bool;

/// Each key with a value that is not the default, and how to see it in the configuration.
const KEYS: &[(&str, &str, Shows)] = &[
    ("listen", "'127.0.0.2:81'", |c| c.listen.to_string() == "127.0.0.2:81"),
    ("public_url", "'https://hub.example.com'", |c| {
        c.public_url.as_ref().is_some_and(|url| url == "https://hub.example.com")
    }),
    ("lenient_version_header", "true", |c| c.lenient_version_header),
    ("instructions", "'Ask me.'", |c| c.instructions.as_deref() == Some("Ask me.")),
    ("allow_anonymous", "true", |c| c.allow_anonymous),
    ("allowed_hosts", "['a.example']", |c| c.allowed_hosts == ["a.example"]),
    ("allowed_origins", "['https://a.example']", |c| c.allowed_origins == ["https://a.example"]),
    ("trusted_proxies", "['127.0.0.1', '10.0.0.0/8']", |c| {
        c.trusted_proxies.iter().map(ToString::to_string).eq(["127.0.0.1/32", "10.0.0.0/8"])
    }),
    ("grace", "'7s'", |c| c.grace == Duration::from_secs(7)),
    ("auth.secret", "'12345678901234567890123456789012'", |c| c.auth.secret.is_some()),
    ("auth.public_key_file", "'/srv/key.pem'", |c| {
        c.auth.public_key_file.as_deref() == Some(Path::new("/srv/key.pem"))
    }),
    ("auth.jwks_url", "'https://login.example.com/keys'", |c| {
        c.auth.jwks_url.as_deref() == Some("https://login.example.com/keys")
    }),
    ("auth.jwks_refresh", "'7m'", |c| c.auth.jwks_refresh.as_secs() == 420),
    ("auth.jwks_pause", "'7s'", |c| c.auth.jwks_pause.as_secs() == 7),
    ("auth.jwks_addresses", "['10.0.0.0/8']", |c| c.auth.jwks_addresses == ["10.0.0.0/8"]),
    (
        "auth.issuers",
        "[{issuer = 'https://a.example', jwks_url = 'https://a.example/keys'}]",
        |c| c.auth.issuers.first().is_some_and(|issuer| issuer.issuer == "https://a.example"),
    ),
    ("auth.authorization_servers", "['https://login.example.com']", |c| {
        c.auth.authorization_servers == ["https://login.example.com"]
    }),
    ("auth.issuer", "'us'", |c| c.auth.issuer.as_deref() == Some("us")),
    ("auth.audience", "'hub'", |c| c.auth.audience.as_deref() == Some("hub")),
    ("tls.cert", "'/srv/cert.pem'", |c| c.tls.cert.as_deref() == Some(Path::new("/srv/cert.pem"))),
    ("tls.key", "'/srv/key.pem'", |c| c.tls.key.as_deref() == Some(Path::new("/srv/key.pem"))),
    ("limits.connections", "7", |c| c.limits.connections.get() == 7),
    ("limits.connections_per_address", "7", |c| c.limits.connections_per_address.get() == 7),
    ("limits.tls_handshake_time", "'7s'", |c| c.limits.tls_handshake_time.as_secs() == 7),
    ("limits.request_head", "'9 KiB'", |c| c.limits.request_head == ByteSize::kib(9)),
    ("limits.request_head_time", "'7s'", |c| c.limits.request_head_time.as_secs() == 7),
    ("limits.connection_idle", "'7m'", |c| c.limits.connection_idle.as_secs() == 420),
    ("limits.requests_per_connection", "7", |c| c.limits.requests_per_connection.get() == 7),
    ("limits.write_stall", "'7s'", |c| c.limits.write_stall.as_secs() == 7),
    ("limits.answers", "'7 GiB'", |c| c.limits.answers == ByteSize::gib(7)),
    ("limits.request_bodies", "'7 MiB'", |c| c.limits.request_bodies == ByteSize::mib(7)),
    ("limits.request_body", "'1 MiB'", |c| c.limits.request_body == ByteSize::mib(1)),
    ("limits.request_body_time", "'7s'", |c| c.limits.request_body_time.as_secs() == 7),
    ("limits.provider_message", "'1 MiB'", |c| c.limits.provider_message == ByteSize::mib(1)),
    ("limits.json_depth", "7", |c| c.limits.json_depth.get() == 7),
    ("limits.tool_definition", "'1 KiB'", |c| c.limits.tool_definition == ByteSize::kib(1)),
    ("limits.tools_per_provider", "7", |c| c.limits.tools_per_provider.get() == 7),
    ("limits.tools_per_user", "7", |c| c.limits.tools_per_user.get() == 7),
    ("limits.tools_per_page", "7", |c| c.limits.tools_per_page.get() == 7),
    ("limits.providers_per_user", "7", |c| c.limits.providers_per_user.get() == 7),
    ("limits.sessions_per_user", "7", |c| c.limits.sessions_per_user.get() == 7),
    ("limits.streams_per_user", "7", |c| c.limits.streams_per_user.get() == 7),
    ("limits.session_idle", "'7m'", |c| c.limits.session_idle.as_secs() == 420),
    ("limits.batch", "7", |c| c.limits.batch.get() == 7),
    ("limits.events_per_session", "7", |c| c.limits.events_per_session.get() == 7),
    ("limits.event_bytes_per_session", "'7 MiB'", |c| {
        c.limits.event_bytes_per_session == ByteSize::mib(7)
    }),
    ("limits.event_bytes", "'7 GiB'", |c| c.limits.event_bytes == ByteSize::gib(7)),
    ("limits.resume_time", "'7s'", |c| c.limits.resume_time == Duration::from_secs(7)),
    ("limits.call_stream_time", "'7s'", |c| c.limits.call_stream_time == Duration::from_secs(7)),
    ("limits.calls_per_second", "7", |c| c.limits.calls_per_second.get() == 7),
    ("limits.calls_burst", "7", |c| c.limits.calls_burst.get() == 7),
    ("limits.question_time", "'7s'", |c| c.limits.question_time == Duration::from_secs(7)),
    ("limits.questions_per_round", "7", |c| c.limits.questions_per_round.get() == 7),
    ("limits.question_rounds", "7", |c| c.limits.question_rounds.get() == 7),
    ("limits.calls_per_user", "7", |c| c.limits.calls_per_user.get() == 7),
    ("limits.calls_per_provider", "7", |c| c.limits.calls_per_provider.get() == 7),
    ("limits.call_idle", "'7s'", |c| c.limits.call_idle.as_secs() == 7),
    ("limits.call_total", "'7h'", |c| c.limits.call_total.as_secs() == 25_200),
    ("limits.provider_registration", "'7s'", |c| c.limits.provider_registration.as_secs() == 7),
    ("limits.ping_interval", "'7s'", |c| c.limits.ping_interval.as_secs() == 7),
    ("limits.ping_grace", "'7s'", |c| c.limits.ping_grace.as_secs() == 7),
    ("failover.attempts", "7", |c| c.failover.attempts.get() == 7),
    ("failover.after_handover", "'always'", |c| c.failover.after_handover == AfterHandover::Always),
    ("failover.breaker.failures", "7", |c| c.failover.breaker.failures == 7),
    ("failover.breaker.pause", "'7s'", |c| c.failover.breaker.pause.as_secs() == 7),
    ("failover.breaker.pause_max", "'7m'", |c| c.failover.breaker.pause_max.as_secs() == 420),
    ("plugins.folder", "'/srv/plugins'", |c| c.plugins.folder == Path::new("/srv/plugins")),
    ("plugins.cache", "'/srv/cache'", |c| {
        c.plugin_cache().is_ok_and(|cache| cache == Path::new("/srv/cache"))
    }),
    ("plugins.cache_size", "'7 MiB'", |c| c.plugins.cache_size == ByteSize::mib(7)),
    ("plugins.file", "'7 MiB'", |c| c.plugins.file == ByteSize::mib(7)),
    ("plugins.memory", "'7 MiB'", |c| c.plugins.memory == ByteSize::mib(7)),
    ("plugins.memory_max", "'512 MiB'", |c| c.plugins.memory_max == ByteSize::mib(512)),
    ("plugins.memory_total", "'7 GiB'", |c| c.plugins.memory_total == ByteSize::gib(7)),
    ("plugins.time", "'7s'", |c| c.plugins.time == Duration::from_secs(7)),
    ("plugins.time_max", "'7m'", |c| c.plugins.time_max == Duration::from_mins(7)),
    ("plugins.output", "'7 MiB'", |c| c.plugins.output == ByteSize::mib(7)),
    ("plugins.output_max", "'512 MiB'", |c| c.plugins.output_max == ByteSize::mib(512)),
    ("plugins.instances", "7", |c| c.plugins.instances.get() == 7),
    ("plugins.compiles", "7", |c| c.plugins.compiles.get() == 7),
    ("plugins.compile_time", "'7s'", |c| c.plugins.compile_time == Duration::from_secs(7)),
    ("plugins.compile_memory", "'7 MiB'", |c| c.plugins.compile_memory == ByteSize::mib(7)),
    ("plugins.poll", "'7s'", |c| c.plugins.poll == Duration::from_secs(7)),
    ("log.filter", "'warn'", |c| c.log.filter == "warn"),
    ("log.format", "'json'", |c| c.log.format == Format::Json),
    ("otlp.endpoint", "'http://collector:4318'", |c| {
        c.otlp.endpoint.as_deref() == Some("http://collector:4318")
    }),
    ("otlp.headers", "{ x-key = '7' }", |c| c.otlp.headers.get("x-key").is_some_and(|v| v == "7")),
    ("otlp.sample", "0.5", |c| (c.otlp.sample - 0.5).abs() < f64::EPSILON),
    ("otlp.service_name", "'hub7'", |c| c.otlp.service_name.as_deref() == Some("hub7")),
];

#[test]
fn every_key_is_read_from_the_file() {
    assert!(KEYS.iter().all(|(_, _, shows)| !shows(&Config::default())), "no value is a default");
    for (key, value, shows) in KEYS {
        let mut text = format!("{key} = {value}\n");
        if key.starts_with("auth.") && *key != "auth.secret" {
            text.push_str("auth.secret = '12345678901234567890123456789012'\n");
        }
        match *key {
            "tls.cert" => text.push_str("tls.key = 'key.pem'\n"),
            "tls.key" => text.push_str("tls.cert = 'cert.pem'\n"),
            "auth.authorization_servers" => {
                text.push_str("public_url = 'https://hub.example.com'\n");
            }
            "otlp.headers" => text.push_str("otlp.endpoint = 'http://collector:4318'\n"),
            _ => {}
        }
        let config = load(&text).unwrap_or_else(|message| panic!("{text}: {message}"));
        assert!(shows(&config), "{key} took no effect");
    }
}

#[test]
fn no_key_is_missing_from_these_tests() {
    let mut tables = BTreeSet::from([String::new()]);
    let known: BTreeSet<_> = KEYS.iter().map(|(key, ..)| (*key).to_owned()).collect();
    for (key, ..) in KEYS {
        let parents = key.match_indices('.').map(|(at, _)| format!("{}.", &key[..at]));
        tables.extend(parents);
    }
    for table in &tables {
        let Err(message) = load(&format!("{table}no_such_key = 1")) else {
            panic!("an unknown key in {table:?} should be refused");
        };
        let (_, expected) = message.split_once("expected").expect("the keys there are");
        let words = expected.split(|c: char| !c.is_ascii_lowercase() && c != '_');
        for key in words.filter(|word| !["", "one", "of", "or"].contains(word)) {
            let key = format!("{table}{key}");
            let is_table = tables.contains(&format!("{key}."));
            assert!(is_table || known.contains(&key), "{key} is tested nowhere");
        }
    }
}

#[test]
fn a_mistake_is_said_with_file_key_and_what_is_allowed() {
    for (text, parts) in [
        ("lisen = '127.0.0.1:80'", &["hub.toml", "lisen", "`listen`"][..]),
        ("[limits]\nrequest_bodi = 1", &["hub.toml", "request_bodi", "limits", "`request_body`"]),
        ("[auth]\npassword = 'x'", &["hub.toml", "password", "auth", "`secret`"]),
        ("[failover.breaker]\nfailure = 3", &["hub.toml", "failure", "`failures`"]),
        ("listen = 8080", &["hub.toml", "listen", "8080", "127.0.0.1:8080"]),
        ("listen = 'localhost'", &["hub.toml", "listen", "127.0.0.1:8080"]),
        ("instructions = 5", &["hub.toml", "instructions", "text in quotes"]),
        ("allow_anonymous = 'yes'", &["hub.toml", "allow_anonymous", "bool"]),
        ("allowed_hosts = 'a.example'", &["hub.toml", "allowed_hosts", "sequence"]),
        ("trusted_proxies = ['proxy.lan']", &["hub.toml", "proxy.lan", "10.0.0.0/8"]),
        ("grace = '5 parsecs'", &["hub.toml", "grace", "parsecs"]),
        ("grace = 5", &["hub.toml", "grace", "5", "30s"]),
        ("limits.call_idle = '-1s'", &["hub.toml", "limits.call_idle", "-1s"]),
        ("limits.request_body = '4 apples'", &["hub.toml", "limits.request_body", "apples"]),
        ("limits.calls_per_user = 0", &["hub.toml", "limits.calls_per_user", "from 1"]),
        ("limits.calls_per_user = -1", &["hub.toml", "limits.calls_per_user", "-1"]),
        ("limits.calls_per_user = 'many'", &["hub.toml", "limits.calls_per_user", "many"]),
        ("limits = 5", &["hub.toml", "limits", "5"]),
        ("failover.after_handover = 'never'", &["after_handover", "`hinted`", "`always`"]),
        ("log.format = 'xml'", &["hub.toml", "log.format", "`auto`", "`text`", "`json`"]),
        ("public_url = 'hub.example.com'", &["hub.toml", "public_url", "https://"]),
        ("public_url = 'ftp://hub.example.com'", &["hub.toml", "public_url", "https://"]),
        ("listen = ", &["hub.toml", "line"]),
    ] {
        faulty(text, parts);
    }
}

#[test]
fn a_mistake_is_said_in_the_words_of_the_settings_not_of_the_program() {
    for (text, example) in [
        ("grace = 5", "30s"),
        ("grace = '5 parsecs'", "30s"),
        ("limits.request_body = '4 apples'", "MiB"),
        ("limits.calls_per_user = 0", "1"),
        ("limits = 5", "[limits]"),
    ] {
        let Err(message) = load(text) else { panic!("{text} should be refused") };
        for word in ["default.", "struct", "usize", "parsable"] {
            assert!(!message.contains(word), "{word:?} means nothing to a person: {message}");
        }
        assert!(message.contains(example), "no example on {text:?}: {message}");
    }
}

#[test]
fn an_impossible_combination_is_said_with_its_keys() {
    for (text, parts) in [
        ("auth.secret = 'short'", &["auth.secret", "5 bytes", "32"][..]),
        ("auth.secret = ''", &["auth.secret", "0 bytes", "32"]),
        ("limits.call_idle = '0s'", &["limits.call_idle", "zero"]),
        ("limits.ping_interval = '0s'", &["limits.ping_interval", "zero"]),
        ("limits.request_body = 0", &["limits.request_body", "zero"]),
        ("failover.breaker.failures = 0", &["failover.breaker.failures", "zero"]),
        ("failover.breaker.pause = '0s'", &["failover.breaker.pause", "zero"]),
        (
            "limits.tool_definition = '2 MiB'\nlimits.provider_message = '1 MiB'",
            &["limits.tool_definition", "limits.provider_message", "2.0 MiB", "1.0 MiB"],
        ),
        ("tls.cert = 'cert.pem'", &["tls.cert", "tls.key"]),
        ("tls.key = 'key.pem'", &["tls.cert", "tls.key"]),
        ("limits.write_stall = '0s'", &["limits.write_stall", "zero"]),
        ("limits.request_head = '7 KiB'", &["limits.request_head", "7.0 KiB", "8.0 KiB"]),
        (
            "limits.request_bodies = '1 MiB'",
            &["limits.request_body", "limits.request_bodies", "4.0 MiB", "1.0 MiB"],
        ),
        (
            "limits.answers = '15 MiB'",
            &["limits.provider_message", "limits.answers", "16.0 MiB", "15.0 MiB"],
        ),
        ("limits.answers = '63 MiB'", &["plugins.output_max", "limits.answers"]),
        ("limits.event_bytes = '63 MiB'", &["plugins.output_max", "limits.event_bytes"]),
        ("log.filter = 'mcp_hub=loud'", &["log.filter", "mcp_hub=loud"]),
        ("otlp.endpoint = 'collector:4317'", &["otlp.endpoint", "http://127.0.0.1:4318"]),
        ("otlp.headers = { x-key = '7' }", &["otlp.headers", "otlp.endpoint"]),
        ("otlp.sample = 1.5", &["otlp.sample", "from 0 to 1"]),
        ("listen = '0.0.0.0:80'", &["0.0.0.0:80", "auth.secret", "--allow-anonymous"]),
        ("listen = '[::]:80'", &["[::]:80", "auth.secret", "--allow-anonymous"]),
        ("listen = '192.0.2.1:80'", &["192.0.2.1:80", "auth.secret"]),
    ] {
        faulty(text, parts);
    }
}

#[test]
fn rules_for_tokens_without_keys_are_refused() {
    for (key, value) in [
        ("auth.issuer", "'us'"),
        ("auth.audience", "'hub'"),
        ("auth.authorization_servers", "['https://login.example.com']"),
    ] {
        faulty(&format!("{key} = {value}"), &[key, "auth.secret", "auth.jwks_url"]);
    }
}

#[test]
fn keys_and_issuers_that_cannot_be_are_refused() {
    let issuer = "auth.issuers = [{issuer = 'https://a.example'";
    for (text, parts) in [
        ("auth.jwks_url = 'http://login.example.com/keys'".into(), &["jwks_url", "https://"][..]),
        ("auth.jwks_url = 'http://10.0.0.7/keys'".into(), &["jwks_url", "https://"]),
        ("auth.jwks_url = 'file:///etc/keys'".into(), &["jwks_url", "file:///etc/keys"]),
        ("auth.jwks_url = 'https://a:b@login.example.com/keys'".into(), &["jwks_url", "password"]),
        ("auth.jwks_url = 'keys'".into(), &["jwks_url", "keys"]),
        ("auth.jwks_refresh = '0s'".into(), &["auth.jwks_refresh", "zero"]),
        ("auth.jwks_pause = '0s'".into(), &["auth.jwks_pause", "zero"]),
        (
            "auth.jwks_addresses = ['inside']".into(),
            &["auth.jwks_addresses", "inside", "10.0.0.0/8"],
        ),
        (
            format!("auth.issuer = 'us'\n{issuer}, public_key_file = 'k'}}]"),
            &["auth.issuer is set", "auth.issuers"],
        ),
        (format!("{issuer}}}]"), &["auth.issuers", "https://a.example", "public_key_file"]),
        (format!("{issuer}, secret = 'x'}}]"), &["no such key"]),
        (
            format!(
                "auth.secret = '{SECRET}'\nauth.issuer = 'https://a.example'\n{issuer}, public_key_file = 'k'}}]"
            ),
            &["auth.issuers", "twice"],
        ),
        (
            format!("auth.secret = '{SECRET}'\nauth.authorization_servers = ['https://a.example']"),
            &["auth.authorization_servers", "public_url"],
        ),
        (
            format!("auth.secret = '{SECRET}'\nauth.authorization_servers = ['http://a.example']"),
            &["auth.authorization_servers", "http://a.example"],
        ),
    ] {
        faulty(&text, parts);
    }
    for url in [
        "http://127.0.0.1:81/keys",
        "http://[::1]/keys",
        "http://localhost/keys",
        "https://10.0.0.7/keys",
    ] {
        load(&format!("auth.jwks_url = '{url}'")).unwrap_or_else(|message| panic!("{message}"));
    }
}

#[test]
fn a_host_or_origin_that_can_never_match_is_refused() {
    for (text, key) in [
        ("allowed_hosts = ['https://a.example']", "allowed_hosts"),
        ("allowed_hosts = ['a.example:8080']", "allowed_hosts"),
        ("allowed_origins = ['a.example']", "allowed_origins"),
        ("allowed_origins = ['https://a.example/']", "allowed_origins"),
    ] {
        faulty(text, &[key]);
    }
}

#[test]
fn a_breaker_that_pauses_longer_than_its_longest_pause_is_refused() {
    faulty(
        "[failover.breaker]\npause = '3m'",
        &["failover.breaker.pause", "failover.breaker.pause_max"],
    );
}

#[test]
fn beyond_loopback_needs_authentication_or_consent() {
    let secret = format!("auth.secret = '{SECRET}'\n");
    for listen in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80"] {
        let listen = format!("listen = '{listen}'\n");
        assert!(load(&listen).is_err());
        assert!(load(&format!("{listen}{secret}")).is_ok());
        assert!(load(&format!("{listen}allow_anonymous = true")).is_ok());
        let consent = Flags { allow_anonymous: true, ..Flags::default() };
        assert!(load_with(&listen, consent).is_ok());
    }
    for listen in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80"] {
        assert!(load(&format!("listen = '{listen}'")).is_ok());
    }
}

#[test]
fn a_named_file_must_be_there() {
    let file = folder().path().join("gone.toml");
    let flags = Flags { config: Some(file.clone()), ..Flags::default() };
    let Err(fault) = config::load(&flags) else { panic!("there is no such file") };
    let expected = format!("there is no configuration file {}", file.display());
    assert_eq!(fault.to_string(), expected);
}

#[test]
fn flags_outrank_the_file() {
    let flags = Flags {
        listen: Some(([127, 0, 0, 1], 82).into()),
        public_url: Some("https://flag.example.com".into()),
        ..Flags::default()
    };
    let text = "listen = '127.0.0.1:81'\npublic_url = 'https://file.example.com'\ngrace = '7s'";
    let Ok(config) = load_with(text, flags) else { panic!("a good file") };
    assert_eq!(config.listen.port(), 82);
    assert_eq!(config.public_url.expect("a URL").host(), Some("flag.example.com"));
    assert_eq!(config.grace.as_secs(), 7, "what no flag says stays");
    let refused = load_with("", Flags { public_url: Some("here".into()), ..Flags::default() });
    assert!(refused.is_err_and(|message| message.contains("the flag --public-url")));
}

/// Why the hub in `folder` does not start, with these variables.
async fn complaint(folder: &Path, environment: &[(&str, &str)]) -> String {
    let ended = run(folder, &[], environment).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "", "nothing was announced");
    ended.stderr
}

#[tokio::test]
async fn a_mistake_in_the_environment_is_said_with_the_variable_and_what_is_allowed() {
    let folder = folder();
    for (name, value, parts) in [
        ("MCP_HUB_LISEN", "127.0.0.1:0", &["`listen`"][..]),
        ("MCP_HUB_LIMITS__REQUEST_BODI", "1", &["`request_body`"]),
        ("MCP_HUB_LISTEN", "here", &["127.0.0.1:8080"]),
        ("MCP_HUB_ALLOW_ANONYMOUS", "perhaps", &["perhaps", "bool"]),
        ("MCP_HUB_LIMITS__CALLS_PER_USER", "0", &["from 1"]),
        ("MCP_HUB_PUBLIC_URL", "hub", &["https://"]),
        ("MCP_HUB_LOG__FORMAT", "xml", &["`auto`", "`text`", "`json`"]),
    ] {
        let said = complaint(folder.path(), &[(name, value)]).await;
        for part in parts.iter().chain([&name]) {
            assert!(said.contains(part), "no {part:?} in the message on {name}={value}:\n{said}");
        }
    }
}

#[tokio::test]
async fn a_mistake_in_a_flag_is_said_with_the_flag() {
    let ended = run(folder().path(), &["--public-url", "hub"], &[]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("the flag --public-url: \"hub\""), "{ended:?}");
}

#[tokio::test]
async fn a_mistake_in_the_file_is_said_before_anything_is_begun() {
    let folder = folder();
    fs::write(folder.path().join("mcp-hub.toml"), "grace = 'soon'").expect("written");
    let said = complaint(folder.path(), &[]).await;
    assert!(said.contains("mcp-hub.toml") && said.contains("grace"), "{said}");
    let ended = run(folder.path(), &["--config", "other.toml"], &[]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("there is no configuration file other.toml"), "{ended:?}");
}

#[tokio::test]
async fn a_complaint_is_made_once() {
    let folder = folder();
    for (name, value) in [("MCP_HUB_AUTH__SECRET", "short"), ("MCP_HUB_LOG__FILTER", "a=loud")] {
        let said = complaint(folder.path(), &[(name, value)]).await;
        let key = if name.contains("SECRET") { "auth.secret has" } else { "log.filter" };
        assert_eq!(said.matches(key).count(), 1, "{said}");
    }
}

#[tokio::test]
async fn a_secret_is_never_repeated_in_a_complaint() {
    let folder = folder();
    let short = "hunter2-hunter2";
    let said = complaint(folder.path(), &[("MCP_HUB_AUTH__SECRET", short)]).await;
    assert!(said.contains("auth.secret") && !said.contains("hunter2"), "{said}");
    for text in [
        format!("[auth]\nsecret = ['{SECRET}']"),
        format!("[auth]\nsecret = '{SECRET}"),
        format!("[auth]\nsecret = '{SECRET}' x"),
        format!("auth = '{SECRET}'"),
    ] {
        fs::write(folder.path().join("mcp-hub.toml"), &text).expect("written");
        let said = complaint(folder.path(), &[]).await;
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[tokio::test]
async fn the_environment_outranks_the_file_and_flags_outrank_both() {
    let folder = folder();
    let text = "listen = '127.0.0.1:0'\npublic_url = 'https://file.example.com'";
    fs::write(folder.path().join("mcp-hub.toml"), text).expect("written");
    let environment = [("MCP_HUB_PUBLIC_URL", "https://variable.example.com")];
    let flag = ["--public-url", "https://flag.example.com"];
    for (arguments, environment, expected) in [
        (&[][..], &[][..], "https://file.example.com/mcp"),
        (&[], &environment, "https://variable.example.com/mcp"),
        (&flag, &environment, "https://flag.example.com/mcp"),
    ] {
        let hub = Process::start(folder.path(), arguments, environment).await;
        assert!(hub.announced.contains(expected), "{}", hub.announced);
    }
}

#[tokio::test]
async fn values_of_every_kind_are_read_from_the_environment() {
    let folder = folder();
    let environment = [
        ("MCP_HUB_LISTEN", "127.0.0.1:0"),
        ("MCP_HUB_AUTH__SECRET", SECRET),
        ("MCP_HUB_ALLOWED_HOSTS", "[a.example, b.example]"),
        ("MCP_HUB_LIMITS__CALL_IDLE", "2m"),
        ("MCP_HUB_LIMITS__REQUEST_BODY", "1 KiB"),
        ("MCP_HUB_LIMITS__TOOLS_PER_PROVIDER", "1"),
        ("MCP_HUB_INSTRUCTIONS", "Ask: me, [please]"),
        ("MCP_HUB_FAILOVER__BREAKER__FAILURES", "7"),
        // The command line's own.
        ("MCP_HUB_URL", "http://localhost:1"),
        ("MCP_HUB_TOKEN", "x"),
    ];
    let hub = Process::start(folder.path(), &[], &environment).await;
    let token = crate::support::hub::token("alice");
    let client = McpClient::at(hub.url()).with_token(token.clone());
    let discovered = client.modern("server/discover", json!({})).await;
    assert_eq!(discovered.result()["instructions"], "Ask: me, [please]");
    let large = McpClient::send(client.post("x".repeat(1_025))).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let other_host = client.request(Method::GET).header("host", "b.example");
    assert_ne!(McpClient::send(other_host).await.status, StatusCode::FORBIDDEN);
    let mut provider = TestProvider::dial_at(hub.url(), Some(&token)).await.expect("let in");
    let refused = provider.register("p", &[tool("a"), tool("b")]).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
}

#[tokio::test]
async fn a_text_in_the_environment_stays_the_text_it_is() {
    let folder = folder();
    for secret in [
        "12345678901234567890123456789012",
        "1e345678901234567890123456789012",
        "[2345678901234567890123456789012]",
        "{a=34567890123456789012345678901}",
        "a=b,c=d 56789012345678901234567890",
    ] {
        let environment = [("MCP_HUB_AUTH__SECRET", secret)];
        let ended = run(folder.path(), &["token", "--user", "alice"], &environment).await;
        assert_eq!(ended.code, Some(0), "{secret}: {}", ended.stderr);
        let key = DecodingKey::from_secret(secret.as_bytes());
        let rules = Validation::new(Algorithm::HS256);
        let claims = jsonwebtoken::decode::<Value>(ended.stdout.trim(), &key, &rules);
        assert!(claims.is_ok_and(|token| token.claims["sub"] == "alice"), "{secret}");
    }
}

#[tokio::test]
async fn variables_of_opentelemetry_count_where_the_hub_has_none() {
    let folder = folder();
    let theirs = ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
    let said = complaint(folder.path(), &[theirs]).await;
    assert!(said.contains("OTEL_EXPORTER_OTLP_ENDPOINT") && said.contains("collector"), "{said}");
    // Texts that look like numbers, and of which one is a secret.
    let own = [
        theirs,
        ("MCP_HUB_OTLP__ENDPOINT", "http://127.0.0.1:9"),
        ("MCP_HUB_OTLP__HEADERS__X-KEY", "123456"),
        ("MCP_HUB_OTLP__SERVICE_NAME", "7"),
        ("MCP_HUB_OTLP__SAMPLE", "1"),
    ];
    let hub = Process::start(folder.path(), &["--listen", "127.0.0.1:0"], &own).await;
    let ended = hub.stopped().await;
    assert!(ended.stderr.contains("calls are traced"), "{ended:?}");
    assert!(!ended.stderr.contains("123456"), "{ended:?}");
}

#[tokio::test]
async fn a_text_in_the_environment_may_look_like_a_number() {
    let folder = folder();
    for name in ["MCP_HUB_AUTH__AUDIENCE", "MCP_HUB_AUTH__ISSUER", "MCP_HUB_INSTRUCTIONS"] {
        for value in ["1234567890", "true", "1.5"] {
            let environment = [("MCP_HUB_AUTH__SECRET", SECRET), (name, value)];
            let ended = run(folder.path(), &["token", "--user", "alice"], &environment).await;
            assert_eq!(ended.code, Some(0), "{name}={value}: {}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn clients_of_both_eras_are_told_the_instructions() {
    for instructions in [None, Some("Ask for anything.".to_owned())] {
        let said = instructions.as_ref().map(|said| json!(said));
        let hub = TestHub::with(|config| config.instructions = instructions).await;
        let client = McpClient::new(&hub);
        let session = client.initialize("2025-11-25").await;
        assert_eq!(session.initialized.get("instructions"), said.as_ref());
        let discovered = client.modern("server/discover", json!({})).await;
        assert_eq!(discovered.result().get("instructions"), said.as_ref());
    }
}

async fn asked(hub: &TestHub, header: &'static str, value: &str) -> StatusCode {
    let request = McpClient::new(hub).modern_request("tools/list", json!({}));
    McpClient::send(request.header(header, value)).await.status
}

#[tokio::test]
async fn a_public_url_lets_its_host_and_origin_in() {
    let hub = TestHub::with(|config| {
        config.public_url = Some("https://hub.example.com".parse().expect("a URL"));
    })
    .await;
    for (header, value, expected) in [
        ("host", "hub.example.com", 200),
        ("host", "HUB.example.com:443", 200),
        ("host", "other.example.com", 403),
        ("origin", "https://hub.example.com", 200),
        ("origin", "http://hub.example.com", 403),
    ] {
        assert_eq!(asked(&hub, header, value).await.as_u16(), expected, "{header}: {value}");
    }
}

#[tokio::test]
async fn allowed_hosts_and_origins_let_these_in_and_no_others() {
    let hub = TestHub::with(|config| {
        config.allowed_hosts = vec!["a.example".into()];
        config.allowed_origins = vec!["https://b.example".into()];
    })
    .await;
    for (header, value, expected) in [
        ("host", "a.example:1234", 200),
        ("host", "b.example", 403),
        ("origin", "https://b.example", 200),
        ("origin", "https://a.example", 403),
    ] {
        assert_eq!(asked(&hub, header, value).await.as_u16(), expected, "{header}: {value}");
    }
}

/// What a hub with these variables logs, as lines.
async fn logged(environment: &[(&str, &str)]) -> Vec<String> {
    let folder = folder();
    let hub = Process::start(folder.path(), &["--listen", "127.0.0.1:0"], environment).await;
    McpClient::at(hub.url()).call("missing", json!({})).await;
    let ended = hub.stopped().await;
    ended.stderr.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_log_is_written_in_the_format_that_is_set() {
    for (format, is_json) in [("auto", true), ("json", true), ("text", false)] {
        let lines = logged(&[("MCP_HUB_LOG__FORMAT", format)]).await;
        let call = lines.iter().find(|line| line.contains("unknown_tool")).expect("the call");
        let parsed: Result<Value, _> = serde_json::from_str(call);
        assert_eq!(parsed.is_ok(), is_json, "{format}: {call}");
        if let Ok(event) = parsed {
            assert_eq!((&event["user"], &event["tool"]), (&json!("public"), &json!("missing")));
            assert_eq!(
                (&event["outcome"], &event["attempts"]),
                (&json!("unknown_tool"), &json!(0))
            );
            assert!(event["duration_us"].is_u64(), "{event}");
        }
    }
}

#[tokio::test]
async fn only_what_the_filter_lets_through_is_logged() {
    for (filter, expected) in [("info", true), ("warn", false), ("off,mcp_hub::hub=info", true)] {
        let lines = logged(&[("MCP_HUB_LOG__FILTER", filter)]).await;
        let is_logged = lines.iter().any(|line| line.contains("unknown_tool"));
        assert_eq!(is_logged, expected, "{filter}: {lines:?}");
    }
}
