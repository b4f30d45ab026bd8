//! Signs and verifies the tokens that tell one user from another (JWT, RFC 7519).

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};

use super::{Denial, Options, Scopes, User};
use crate::model::{clock::UnixTime, id::UserId};

/// The shortest secret HS256 allows (RFC 7518 §3.2), in bytes.
const SECRET_BYTES_MIN: usize = 32;

/// What a token lets its bearer do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// List and call tools.
    Tools,
    /// Connect a provider.
    Provide,
    /// See what all users have.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Tools, Self::Provide, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "mcp:tools",
            Self::Provide => "mcp:provide",
            Self::Admin => "hub:admin",
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "auth.secret has {0} bytes, but HS256 needs at least {SECRET_BYTES_MIN}; \
     `openssl rand -base64 48` makes a good one"
)]
pub struct SecretTooShort(usize);

/// The key and the rules by which tokens are judged.
pub struct Tokens {
    sign: EncodingKey,
    verify: DecodingKey,
    rules: Validation,
    issuer: Option<String>,
    audience: Option<String>,
}

/// What is read of a token. Times may have a fraction (RFC 7519 §2).
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iss: Option<String>,
    aud: Option<Audience>,
    scope: Option<String>,
}

/// What is written into one.
#[derive(Serialize)]
struct NewClaims<'a> {
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

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What is wrong with a token, in words for whoever shows it.
fn fault_of(error: &jsonwebtoken::errors::Error) -> String {
    match error.kind() {
        ErrorKind::InvalidToken => "it is no JSON Web Token".into(),
        ErrorKind::InvalidSignature => "it is signed with another secret".into(),
        ErrorKind::InvalidAlgorithm => "it is signed with another algorithm than HS256".into(),
        _ => error.to_string(),
    }
}

impl Tokens {
    /// `None` when `options` names no secret: authentication is off.
    pub fn new(options: &Options) -> Result<Option<Self>, SecretTooShort> {
        let Some(secret) = &options.secret else { return Ok(None) };
        if secret.len() < SECRET_BYTES_MIN {
            return Err(SecretTooShort(secret.len()));
        }
        // The library checks algorithm and signature; what the claims mean is decided below,
        // where the time is a parameter.
        let mut rules = Validation::new(Algorithm::HS256);
        rules.validate_exp = false;
        rules.validate_nbf = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        Ok(Some(Self {
            sign: EncodingKey::from_secret(secret.as_bytes()),
            verify: DecodingKey::from_secret(secret.as_bytes()),
            rules,
            issuer: options.issuer.clone(),
            audience: options.audience.clone(),
        }))
    }

    /// Who bears `token`, if it is good at `now`.
    pub fn verify(&self, token: &str, now: UnixTime) -> Result<User, Denial> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verify, &self.rules)
            .map_err(|error| Denial::BadToken(fault_of(&error)))?
            .claims;
        let bad = |what: &str| Denial::BadToken(what.to_owned());
        let expires = whole_seconds(claims.exp).ok_or_else(|| bad("`exp` is no time"))?;
        if now >= expires {
            return Err(Denial::Expired);
        }
        if let Some(nbf) = claims.nbf {
            let starts = whole_seconds(nbf).ok_or_else(|| bad("`nbf` is no time"))?;
            if now < starts {
                return Err(bad("it is not valid yet"));
            }
        }
        if self.issuer.is_some() && self.issuer != claims.iss {
            return Err(bad("its `iss` is not the one configured"));
        }
        if let Some(audience) = &self.audience {
            let is_meant = match &claims.aud {
                None => false,
                Some(Audience::One(one)) => one == audience,
                Some(Audience::Many(many)) => many.contains(audience),
            };
            if !is_meant {
                return Err(bad("its `aud` does not name this hub"));
            }
        }
        let id = UserId::parse(&claims.sub).ok_or_else(|| bad("its `sub` is empty or odd"))?;
        let scopes = claims.scope.map_or(Scopes::Unsaid, |scope| Scopes::Said(scope.into()));
        Ok(User { id, scopes, expires: Some(expires) })
    }

    /// A token for `user` that is good for `ttl` from `now`.
    pub fn sign(&self, user: &UserId, scope: Option<&str>, ttl: Duration, now: UnixTime) -> String {
        let claims = NewClaims {
            sub: user.as_str(),
            exp: now.after(ttl).0,
            iat: now.0,
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
            scope,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign)
            .expect("plain claims can be signed")
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of at least thirty-two bytes";
    const NOW: UnixTime = UnixTime(1_000_000);

    fn tokens(issuer: Option<&str>, audience: Option<&str>) -> Tokens {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let (issuer, audience) = (own(issuer), own(audience));
        Tokens::new(&Options { secret: Some(SECRET.into()), issuer, audience }).unwrap().unwrap()
    }

    fn signed(algorithm: Algorithm, secret: &str, claims: &str) -> String {
        let claims: serde_json::Value = serde_json::from_str(claims).unwrap();
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&Header::new(algorithm), &claims, &key).unwrap()
    }

    #[track_caller]
    fn refused(tokens: &Tokens, token: &str, why: &str) {
        let denial = tokens.verify(token, NOW).expect_err("a denial").to_string();
        assert!(denial.contains(why), "{denial:?} should say {why:?}");
    }

    #[test]
    fn what_it_signs_it_verifies_until_it_expires() {
        let tokens = tokens(Some("me"), Some("hub"));
        let alice = UserId::parse("alice").unwrap();
        let token = tokens.sign(&alice, Some("mcp:tools"), Duration::from_secs(10), NOW);
        let user = tokens.verify(&token, NOW).unwrap();
        assert_eq!((user.id.as_str(), user.expires), ("alice", Some(UnixTime(NOW.0 + 10))));
        assert!(user.may(Scope::Tools).is_ok() && user.may(Scope::Provide).is_err());
        let later = UnixTime(NOW.0 + 10);
        assert!(matches!(tokens.verify(&token, later), Err(Denial::Expired)));
    }

    #[test]
    fn a_token_without_scopes_may_call_and_provide() {
        let token = signed(Algorithm::HS256, SECRET, r#"{"sub":"a","exp":2000000}"#);
        let user = tokens(None, None).verify(&token, NOW).unwrap();
        assert!(user.may(Scope::Tools).is_ok() && user.may(Scope::Provide).is_ok());
        assert!(user.may(Scope::Admin).is_err(), "it sees its own only");
    }

    #[test]
    fn bad_tokens_are_refused() {
        let plain = tokens(None, None);
        let hs256 = |claims: &str| signed(Algorithm::HS256, SECRET, claims);
        refused(&plain, "", "no JSON Web Token");
        refused(&plain, "a.b.c", "the token is not valid");
        let other = signed(
            Algorithm::HS256,
            "another secret of thirty-two bytes!!",
            r#"{"sub":"a","exp":2000000}"#,
        );
        refused(&plain, &other, "another secret");
        let hs512 = signed(Algorithm::HS512, SECRET, r#"{"sub":"a","exp":2000000}"#);
        refused(&plain, &hs512, "another algorithm");
        refused(&plain, &hs256(r#"{"exp":2000000}"#), "missing field `sub`");
        refused(&plain, &hs256(r#"{"sub":"a"}"#), "missing field `exp`");
        refused(&plain, &hs256(r#"{"sub":"a","exp":"2000000"}"#), "invalid type");
        refused(&plain, &hs256(r#"{"sub":"a","exp":2000000,"nbf":"soon"}"#), "invalid type");
        refused(&plain, &hs256(r#"{"sub":"a","exp":2000000,"nbf":1000001}"#), "not valid yet");
        refused(&plain, &hs256(r#"{"sub":" ","exp":2000000}"#), "`sub` is empty or odd");
        refused(&plain, &hs256(r#"{"sub":"a","exp":1000000}"#), "expired");
        // {"alg":"none","typ":"JWT"} and {"sub":"a","exp":2000000}
        let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwfQ.";
        refused(&plain, unsigned, "the token is not valid");
    }

    #[test]
    fn issuer_and_audience_count_when_configured() {
        let strict = tokens(Some("me"), Some("hub"));
        let check = |claims: &str, why: &str| {
            refused(&strict, &signed(Algorithm::HS256, SECRET, claims), why);
        };
        check(r#"{"sub":"a","exp":2000000,"aud":"hub"}"#, "`iss`");
        check(r#"{"sub":"a","exp":2000000,"iss":"me"}"#, "`aud`");
        check(r#"{"sub":"a","exp":2000000,"iss":"me","aud":["x","y"]}"#, "`aud`");
        let good = r#"{"sub":"a","exp":2000000,"iss":"me","aud":["x","hub"]}"#;
        strict.verify(&signed(Algorithm::HS256, SECRET, good), NOW).unwrap();
    }

    #[test]
    fn a_short_secret_is_refused() {
        let options = Options { secret: Some("short".into()), ..Options::default() };
        assert_eq!(Tokens::new(&options).err(), Some(SecretTooShort(5)));
    }
}
