//! An issuer of tokens: key pairs made for the occasion, and a server that publishes their public
//! halves, or fails to in any way a test wants.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use mcp_hub::model::clock::UnixTime;
use parking_lot::Mutex;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};

use super::eventually;

/// The first bytes of an RSA key of 2048 bits in PKCS #8, before its PKCS #1, which is what the
/// library that signs wants (RFC 5958 §2).
const PKCS8_PREFIX_BYTES: usize = 26;

/// A key pair, its name, and what it signs with.
pub(crate) struct Pair {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) private: EncodingKey,
    pair: KeyPair,
}

impl Pair {
    pub(crate) fn new(id: &str, algorithm: Algorithm) -> Self {
        let kind = match algorithm {
            Algorithm::RS256 => &PKCS_RSA_SHA256,
            Algorithm::ES256 => &PKCS_ECDSA_P256_SHA256,
            Algorithm::EdDSA => &PKCS_ED25519,
            other => panic!("no keys for {other:?} are made here"),
        };
        let pair = KeyPair::generate_for(kind).expect("a key pair");
        let der = pair.serialized_der();
        let private = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_der(&der[PKCS8_PREFIX_BYTES..]),
            Algorithm::ES256 => EncodingKey::from_ec_der(der),
            _ => EncodingKey::from_ed_der(der),
        };
        Self { id: id.to_owned(), algorithm, private, pair }
    }

    /// The public half as a member of a key set.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = if self.algorithm == Algorithm::EdDSA {
            // The library makes none of a private key that has its public one beside it.
            let x = BASE64_URL_SAFE_NO_PAD.encode(self.pair.public_key_raw());
            json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x })
        } else {
            let jwk = Jwk::from_encoding_key(&self.private, self.algorithm);
            serde_json::to_value(jwk.expect("a public key")).expect("JSON")
        };
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The public half as a file has it.
    pub(crate) fn pem(&self) -> String {
        self.pair.public_key_pem()
    }

    pub(crate) fn header(&self) -> Header {
        Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) }
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_with(&self.header(), claims)
    }

    pub(crate) fn sign_with(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.private).expect("signed")
    }

    /// A token of `user` that is good for an hour.
    pub(crate) fn token(&self, user: &str) -> String {
        self.sign(&json!({ "sub": user, "exp": in_an_hour() }))
    }
}

pub(crate) fn in_an_hour() -> u64 {
    UnixTime::now().0 + 3600
}

/// What a key server does when it is asked.
#[derive(Clone)]
pub(crate) enum Answer {
    Keys(Vec<Value>),
    Text(String),
    Status(StatusCode),
    Redirect(String),
    /// Waits for the word, and then says what was published when it was asked.
    Late(Vec<Value>, Arc<Notify>),
    Silence,
}

/// Publishes keys on loopback.
pub(crate) struct KeyServer {
    port: u16,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    task: JoinSet<()>,
}

impl KeyServer {
    pub(crate) async fn publishing(pairs: &[&Pair]) -> Self {
        let answer = Arc::new(Mutex::new(Answer::Keys(jwks(pairs))));
        let mut server = Self { port: 0, answer, asked: Arc::default(), task: JoinSet::new() };
        server.open().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/keys", self.port)
    }

    /// From now on these keys are the ones.
    pub(crate) fn publish(&self, pairs: &[&Pair]) {
        self.does(Answer::Keys(jwks(pairs)));
    }

    /// Answers with these keys, but not before the word is given.
    pub(crate) fn publish_late(&self, pairs: &[&Pair]) -> Arc<Notify> {
        let word = Arc::<Notify>::default();
        self.does(Answer::Late(jwks(pairs), Arc::clone(&word)));
        word
    }

    pub(crate) fn does(&self, answer: Answer) {
        *self.answer.lock() = answer;
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until it was asked once more, after which the answer of before is nowhere on its way.
    pub(crate) async fn asked_again(&self) {
        let before = self.asked();
        eventually("keys are fetched", || self.asked() > before).await;
    }

    /// Refuses connections.
    pub(crate) async fn close(&mut self) {
        self.task.shutdown().await;
    }

    /// Listens, where it did before.
    pub(crate) async fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("a port");
        self.port = listener.local_addr().expect("an address").port();
        let state = (Arc::clone(&self.answer), Arc::clone(&self.asked));
        let routes = Router::new().fallback(answer).with_state(state);
        self.task.spawn(async move { drop(axum::serve(listener, routes).await) });
    }
}

fn jwks(pairs: &[&Pair]) -> Vec<Value> {
    pairs.iter().map(|pair| pair.jwk()).collect()
}

type Shared = (Arc<Mutex<Answer>>, Arc<AtomicUsize>);

async fn answer(State((answer, asked)): State<Shared>) -> Response {
    asked.fetch_add(1, Ordering::SeqCst);
    let answer = answer.lock().clone();
    match answer {
        Answer::Keys(keys) => key_set(&keys),
        Answer::Late(keys, word) => {
            word.notified().await;
            key_set(&keys)
        }
        Answer::Text(text) => text.into_response(),
        Answer::Status(status) => status.into_response(),
        Answer::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Answer::Silence => std::future::pending().await,
    }
}

fn key_set(keys: &[Value]) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/jwk-set+json")];
    (kind, json!({ "keys": keys }).to_string()).into_response()
}
