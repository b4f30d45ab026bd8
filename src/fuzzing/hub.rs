//! What the hub gives out and gets back: request states and tokens.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::text;
use crate::{
    auth::{Bearer, Options, Tokens},
    hub::{
        provider::{Identity, Kind},
        resume::Seal,
    },
    model::{
        call::Output,
        clock::UnixTime,
        id::{InstanceId, ProviderId, UserId},
        json::Json,
    },
};

const NOW: UnixTime = UnixTime(1_000_000);
const SECRET: &str = "a secret of the fuzzers, longer than 32 bytes";
const TOOL: &str = "ask";

/// A state that was sealed is opened as it was, by its user and for its tool, unless one bit of it is
/// another; what was never sealed is not opened.
pub fn request_state(bytes: &[u8]) {
    // One of its own, for a state is good for one use, and so many uses are remembered.
    let seal = Seal::new(Some(SECRET.as_bytes()));
    let (alice, bob) = (user("alice"), user("bob"));
    if let Some(text) = text(bytes) {
        seal.open(text, &alice, TOOL, NOW).expect_err("nobody sealed it");
    }
    let state = String::from_utf8_lossy(bytes);
    let asks = json!({ "resultType": "input_required", "requestState": state });
    let asks = Output::parse(Json::of(&asks)).expect("a result");
    let from = Identity {
        id: ProviderId::random(),
        name: "asker".into(),
        version: None,
        instance: InstanceId::parse("instance").expect("a good name"),
        kind: Kind::Remote,
    };
    let closed = seal.close(asks, &from, &alice, TOOL, NOW);
    let span = closed.request_state.as_ref().expect("a state");
    let sealed: String = serde_json::from_str(closed.part(span)).expect("a string");
    seal.open(&sealed, &bob, TOOL, NOW).expect_err("another's");
    seal.open(&sealed, &alice, "other", NOW).expect_err("for another tool");
    let opened = seal.open(&sealed, &alice, TOOL, NOW).expect("its own");
    seal.open(&sealed, &alice, TOOL, NOW).expect_err("it was used");
    let opened = opened.resumption.state.expect("the provider's state");
    assert_eq!(serde_json::from_str::<String>(opened.get()).expect("a string"), state);
    let mut altered = BASE64_URL_SAFE_NO_PAD.decode(&sealed).expect("what it is written in");
    let place = bytes.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(*byte));
    let bits = altered.len() * 8;
    altered[place % bits / 8] ^= 1 << (place % 8);
    let altered = BASE64_URL_SAFE_NO_PAD.encode(altered);
    seal.open(&altered, &alice, TOOL, NOW).expect_err("altered");
}

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a good name")
}

/// No token is taken that is not signed with the secret, and of those only who is named and in time.
pub fn token(bytes: &[u8]) {
    if let Some(token) = text(bytes)
        && bearer(token).is_some()
    {
        let (signed, signature) = token.rsplit_once('.').expect("parts");
        assert_eq!(signature, self::signature(signed), "nobody signed {token}");
    }
    let head = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    let signed = format!("{head}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let token = format!("{signed}.{}", signature(&signed));
    let Some(bearer) = bearer(&token) else { return };
    // A member that nobody reads need not even be text, as long as it is signed.
    let Ok(claims) = serde_json::from_slice::<Value>(bytes) else { return };
    assert_eq!(claims["sub"], bearer.id.as_str());
    assert!(!bearer.id.as_str().trim().is_empty());
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let is_in_time = claims["exp"].as_f64().is_some_and(|end| end > NOW.0 as f64);
    assert!(is_in_time, "{claims}");
}

/// Who `token` lets in.
fn bearer(token: &str) -> Option<Bearer> {
    static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
        let options = Options { secret: Some(SECRET.into()), ..Options::default() };
        let (tokens, _chores) = Tokens::new(&options, None).expect("a good secret");
        tokens.expect("a secret")
    });
    // Nobody is asked for the key, so there is nothing to wait for.
    TOKENS.verify(token, NOW).now_or_never().expect("at once").ok()
}

/// As RFC 7515 (A.1) has it, computed without the library that verifies.
fn signature(signed: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()))
}
