//! A caller or provider whose token was found good.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Denial, Scope, claims::Bearer, denial::Reason};
use crate::model::{clock::UnixTime, id::UserId};

#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    scopes: Scopes,
    /// When the token, and everything held open by it, ends.
    pub expires: Option<UnixTime>,
    /// Where it is written who gives tokens that permit more.
    metadata: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Scopes {
    /// No authentication at all.
    Every,
    /// A token that names no scopes: its user's own business is permitted.
    Unsaid,
    /// Whether the token names it, for each of [`Scope::ALL`].
    Said([bool; Scope::ALL.len()]),
}

impl Scopes {
    /// Those that a text has, separated by blanks (RFC 8693 §4.2). Others are of no concern here.
    pub(super) fn said(text: &str) -> Self {
        Self::Said(Scope::ALL.map(|scope| text.split(' ').any(|said| said == scope.as_str())))
    }

    fn has(self, scope: Scope) -> bool {
        match self {
            Self::Every => true,
            Self::Unsaid => scope != Scope::Admin,
            Self::Said(said) => Scope::ALL.into_iter().zip(said).any(|it| it == (scope, true)),
        }
    }
}

impl User {
    /// Everybody, where authentication is off.
    pub(super) fn public() -> Self {
        Self { id: UserId::public(), scopes: Scopes::Every, expires: None, metadata: None }
    }

    /// Whoever bears a good token. `metadata` is the URL of the hub's resource metadata.
    pub(super) fn of(bearer: Bearer, metadata: Option<Arc<str>>) -> Self {
        let Bearer { id, scopes, expires, .. } = bearer;
        Self { id, scopes, expires: Some(expires), metadata }
    }

    /// When everything held open by the token ends.
    pub fn ends(&self) -> Option<Instant> {
        self.expires.map(|at| Instant::now() + UnixTime::now().until(at))
    }

    pub fn may(&self, scope: Scope) -> Result<(), Denial> {
        if self.scopes.has(scope) {
            Ok(())
        } else {
            Err(Denial::at(scope, self.metadata.as_deref(), Reason::MissingScope(scope)))
        }
    }
}
