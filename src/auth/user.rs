//! A caller or provider whose token was found good.

use std::sync::Arc;

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

#[derive(Debug, Clone)]
pub(super) enum Scopes {
    /// No authentication at all.
    Every,
    /// A token that names no scopes: its user's own business is permitted.
    Unsaid,
    /// What the token names, separated by blanks (RFC 8693 §4.2).
    Said(Arc<str>),
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

    pub fn may(&self, scope: Scope) -> Result<(), Denial> {
        let granted = match &self.scopes {
            Scopes::Every => true,
            Scopes::Unsaid => scope != Scope::Admin,
            Scopes::Said(scopes) => scopes.split(' ').any(|said| said == scope.as_str()),
        };
        if granted {
            Ok(())
        } else {
            Err(Denial::at(scope, self.metadata.as_deref(), Reason::MissingScope(scope)))
        }
    }
}
