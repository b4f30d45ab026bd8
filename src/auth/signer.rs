//! Signs tokens with the configured secret, for `mcp-hub token` and whoever tries the hub.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::{Options, Resource};
use crate::model::{clock::UnixTime, id::UserId};

/// Makes HS256 tokens that the hub believes.
pub struct Signer {
    key: EncodingKey,
    issuer: Option<String>,
    audience: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    exp: u64,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

impl Signer {
    /// Its tokens are for `resource` where `options` do not say otherwise. `None` without a secret.
    pub fn new(options: &Options, resource: Option<&Resource>) -> Option<Self> {
        let secret = options.secret.as_ref()?;
        Some(Self {
            key: EncodingKey::from_secret(secret.as_bytes()),
            issuer: options.issuer.clone(),
            audience: options.audience.clone().or_else(|| resource.map(|own| own.uri.clone())),
        })
    }

    /// A token for `user` that is good for `ttl` from `now`.
    pub fn sign(&self, user: &UserId, scope: Option<&str>, ttl: Duration, now: UnixTime) -> String {
        let claims = Claims {
            sub: user.as_str(),
            exp: now.after(ttl).0,
            iat: now.0,
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
            scope,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.key)
            .expect("plain claims can be signed")
    }
}
