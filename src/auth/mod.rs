//! Who may come in: the right host and origin, and a user known by their token.

mod denial;
mod hosts;
mod token;

use axum::http::{HeaderMap, Uri, header};
use serde::Deserialize;

pub use self::{
    denial::Denial,
    hosts::Hosts,
    token::{Scope, SecretTooShort, Tokens},
};
use crate::model::{clock::UnixTime, id::UserId};

/// The `[auth]` table of the configuration. Without a secret authentication is off.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The shared secret of HS256 tokens, at least 32 bytes (RFC 7518 §3.2).
    pub secret: Option<String>,
    /// The `iss` a token must have.
    pub issuer: Option<String>,
    /// The `aud` a token must have or hold.
    pub audience: Option<String>,
}

/// A caller or provider whose token was found good.
#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    scopes: Scopes,
    /// When the token, and everything held open by it, ends.
    pub expires: Option<UnixTime>,
}

#[derive(Debug, Clone)]
enum Scopes {
    /// No authentication at all.
    Every,
    /// A token that names no scopes: its user's own business is permitted.
    Unsaid,
    Said(Box<str>),
}

impl User {
    fn public() -> Self {
        Self { id: UserId::public(), scopes: Scopes::Every, expires: None }
    }

    pub fn may(&self, scope: Scope) -> Result<(), Denial> {
        let granted = match &self.scopes {
            Scopes::Every => true,
            Scopes::Unsaid => scope != Scope::Admin,
            Scopes::Said(scopes) => scopes.split(' ').any(|said| said == scope.as_str()),
        };
        if granted { Ok(()) } else { Err(Denial::MissingScope(scope)) }
    }
}

/// The door every request passes.
pub struct Gate {
    hosts: Hosts,
    tokens: Option<Tokens>,
}

impl Gate {
    pub fn new(hosts: Hosts, tokens: Option<Tokens>) -> Self {
        Denial::prepare();
        Self { hosts, tokens }
    }

    /// Whether callers have to show a token.
    pub fn asks_for_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Checks `Host` and `Origin` alone.
    pub fn knows(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denial> {
        self.hosts.check(uri, headers)
    }

    /// Checks `Host` and `Origin`, then the token in `Authorization`.
    pub fn enter(&self, uri: &Uri, headers: &HeaderMap, now: UnixTime) -> Result<User, Denial> {
        self.hosts.check(uri, headers)?;
        let token = match headers.get(header::AUTHORIZATION) {
            None => None,
            Some(value) => Some(bearer(value.as_bytes()).ok_or(Denial::NotBearer)?),
        };
        self.know(token, now)
    }

    /// As [`Self::enter`], but takes the token from `bearer.<token>` among the WebSocket
    /// subprotocols when there is no `Authorization`: a browser cannot set that header.
    pub fn enter_socket(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        now: UnixTime,
    ) -> Result<User, Denial> {
        if headers.contains_key(header::AUTHORIZATION) {
            return self.enter(uri, headers, now);
        }
        self.hosts.check(uri, headers)?;
        let token = subprotocols(headers).find_map(|protocol| protocol.strip_prefix("bearer."));
        self.know(token, now)
    }

    fn know(&self, token: Option<&str>, now: UnixTime) -> Result<User, Denial> {
        match (&self.tokens, token) {
            (None, _) => Ok(User::public()),
            (Some(_), None) => Err(Denial::NoToken),
            (Some(tokens), Some(token)) => tokens.verify(token, now),
        }
    }
}

/// The WebSocket subprotocols a client offers (RFC 6455 §11.3.4).
pub fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

/// The token of `Authorization: Bearer …`; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
