//! Who may come in: the right host and origin, and a user known by their token.

mod claims;
mod denial;
mod hosts;
mod issuer;
mod jose;
mod key;
mod key_file;
mod key_server;
mod key_set;
mod options;
mod resource;
mod ring;
mod scope;
mod signer;
mod tokens;
mod user;
mod verified;

use std::sync::Arc;

use axum::http::{HeaderMap, Uri, header};

pub(crate) use self::claims::Bearer;
pub use self::{
    denial::{Denial, Maker, Reason, Unjudged},
    hosts::Hosts,
    options::{BadOptions, IssuerOptions, Options},
    resource::Resource,
    scope::Scope,
    signer::Signer,
    tokens::{Chore, Tokens},
    user::User,
};
use crate::model::clock::UnixTime;

/// The door every request passes.
pub struct Gate {
    hosts: Hosts,
    tokens: Option<Tokens>,
    /// Where it is written who gives tokens.
    metadata: Option<Arc<str>>,
}

impl Gate {
    pub fn new(hosts: Hosts, tokens: Option<Tokens>, resource: Option<&Resource>) -> Self {
        Denial::prepare();
        key_server::prepare();
        let metadata = resource.map(|resource| Arc::clone(&resource.metadata_url));
        Self { hosts, tokens, metadata }
    }

    /// Whether callers have to show a token.
    pub fn asks_for_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Whether `mcp-hub token` makes them.
    pub fn signs_tokens(&self) -> bool {
        self.tokens.as_ref().is_some_and(|tokens| tokens.maker() == Maker::Hub)
    }

    /// Checks `Host` and `Origin` alone.
    pub fn knows(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denial> {
        Ok(self.hosts.check(uri, headers)?)
    }

    /// Checks `Host` and `Origin`, then the token in `Authorization`. Whoever has none that is good is
    /// told to come back with one for `scope`. Where no tokens are asked for, that header is not read:
    /// it may be meant for a proxy before this hub.
    pub async fn enter(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        scope: Scope,
        now: UnixTime,
    ) -> Result<User, Denial> {
        self.knows(uri, headers)?;
        let Some(tokens) = &self.tokens else { return Ok(User::public()) };
        let token = self.authorization(headers, scope)?;
        self.know(tokens, token, scope, now).await
    }

    /// As [`Self::enter`], but takes the token from `bearer.<token>` among the WebSocket
    /// subprotocols when there is no `Authorization`: a browser cannot set that header.
    pub async fn enter_socket(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        scope: Scope,
        now: UnixTime,
    ) -> Result<User, Denial> {
        self.knows(uri, headers)?;
        let Some(tokens) = &self.tokens else { return Ok(User::public()) };
        let offered = || subprotocols(headers).find_map(|name| name.strip_prefix("bearer."));
        let token = self.authorization(headers, scope)?.or_else(offered);
        self.know(tokens, token, scope, now).await
    }

    /// The token in `Authorization`. What is there for another scheme is as good as nothing. Two such
    /// headers are refused: they are no list (RFC 9110 §5.3), and a proxy may have believed the other.
    fn authorization<'a>(
        &self,
        headers: &'a HeaderMap,
        scope: Scope,
    ) -> Result<Option<&'a str>, Denial> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(self.denial(scope, Reason::Repeated));
        }
        match Credentials::of(value.as_bytes()) {
            Credentials::Token(token) => Ok(Some(token)),
            Credentials::Malformed => Err(self.denial(scope, Reason::Malformed)),
            Credentials::Foreign => Ok(None),
        }
    }

    async fn know(
        &self,
        tokens: &Tokens,
        token: Option<&str>,
        scope: Scope,
        now: UnixTime,
    ) -> Result<User, Denial> {
        let verified = match token {
            None => Err(Reason::NoToken(tokens.maker())),
            Some(token) => tokens.verify(token, now).await,
        };
        match verified {
            Ok(bearer) => Ok(User::of(bearer, self.metadata.clone())),
            Err(reason) => Err(self.denial(scope, reason)),
        }
    }

    fn denial(&self, scope: Scope, reason: Reason) -> Denial {
        Denial::at(scope, self.metadata.as_deref(), reason)
    }
}

/// The WebSocket subprotocols a client offers (RFC 6455 §11.3.4).
pub fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

/// What an `Authorization` header holds.
enum Credentials<'a> {
    Token(&'a str),
    /// It says that it has a token, but has none, or no text.
    Malformed,
    /// It is of another scheme.
    Foreign,
}

impl<'a> Credentials<'a> {
    /// The scheme's case does not matter (RFC 9110 §11.1).
    fn of(value: &'a [u8]) -> Self {
        let (scheme, rest) = match value.iter().position(|byte| *byte == b' ') {
            Some(blank) => value.split_at(blank),
            None => (value, &[][..]),
        };
        if !scheme.eq_ignore_ascii_case(b"bearer") {
            return Self::Foreign;
        }
        match std::str::from_utf8(rest).map(str::trim) {
            Ok(token) if !token.is_empty() => Self::Token(token),
            _ => Self::Malformed,
        }
    }
}
