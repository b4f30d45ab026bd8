//! What a token says of its bearer, and by which rules that is believed.

use std::time::Duration;

use serde::Deserialize;

use super::{
    denial::{Maker, Reason},
    user::Scopes,
};
use crate::model::{clock::UnixTime, id::UserId};

/// How much the clock of an issuer may be ahead of this one (RFC 7519 §4.1.5): a token that was made
/// just now would else not be valid yet. There is none for `exp`, which sockets and streams end by.
const LEEWAY: Duration = Duration::from_secs(60);

/// What is read of a token. Times may have a fraction (RFC 7519 §2).
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iss: Option<String>,
    aud: Option<OneOrMany>,
    /// RFC 8693 §4.2: one text, separated by blanks.
    scope: Option<OneOrMany>,
    /// What some servers call it; to look over it would be to permit too much.
    scp: Option<OneOrMany>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::One(one) => one == text,
            Self::Many(many) => many.iter().any(|one| one == text),
        }
    }

    fn joined(self) -> String {
        match self {
            Self::One(one) => one,
            Self::Many(many) => many.join(" "),
        }
    }
}

/// What the tokens of one issuer have to say; `None` is not checked.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    pub issuer: Option<String>,
    pub audience: Option<String>,
}

/// Whose token it is, what it permits, and from when to when.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub id: UserId,
    pub scopes: Scopes,
    starts: Option<UnixTime>,
    pub expires: UnixTime,
}

impl Bearer {
    /// Whether the token is good at `now`.
    pub(super) fn is_in_time(&self, now: UnixTime, maker: Maker) -> Result<(), Reason> {
        if now >= self.expires {
            return Err(Reason::Expired(maker));
        }
        if self.starts.is_some_and(|starts| now.after(LEEWAY) < starts) {
            return Err(Reason::bad("it is not valid yet"));
        }
        Ok(())
    }
}

impl Claims {
    /// Whoever bears a token with these claims, if they are in order. Times are left to
    /// [`Bearer::is_in_time`].
    pub(super) fn bearer(self, rules: &Rules) -> Result<Bearer, Reason> {
        let expires = whole_seconds(self.exp).ok_or_else(|| Reason::bad("`exp` is no time"))?;
        let starts = match self.nbf {
            Some(nbf) => Some(whole_seconds(nbf).ok_or_else(|| Reason::bad("`nbf` is no time"))?),
            None => None,
        };
        if rules.issuer.is_some() && rules.issuer != self.iss {
            return Err(Reason::bad("its `iss` is not the one configured"));
        }
        if let Some(audience) = &rules.audience
            && !self.aud.is_some_and(|aud| aud.holds(audience))
        {
            return Err(Reason::bad("its `aud` does not name this hub"));
        }
        let id =
            UserId::parse(&self.sub).ok_or_else(|| Reason::bad("its `sub` is empty or odd"))?;
        let scopes = match self.scope.or(self.scp) {
            Some(scopes) => Scopes::said(&scopes.joined()),
            None => Scopes::Unsaid,
        };
        Ok(Bearer { id, scopes, starts, expires })
    }
}

/// A `NumericDate` may have a fraction (RFC 7519 §2); it may not be negative or endless.
fn whole_seconds(date: f64) -> Option<UnixTime> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be in range"
    )]
    (date.is_finite() && (0.0..1e15).contains(&date)).then_some(UnixTime(date as u64))
}
