//! The `[auth]` table of the configuration, and what in it cannot be.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use mcp_hub_sandbox::network::{address, net};
use reqwest::Url;
use serde::Deserialize;

use super::{key_file::BadKeyFile, key_server::Manners};
use crate::model::units::time;

/// The shortest secret HS256 allows (RFC 7518 §3.2), in bytes.
const SECRET_BYTES_MIN: usize = 32;

/// The `[auth]` table. Without a secret, a key file, a key server or issuers authentication is off.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The shared secret of HS256 tokens, at least 32 bytes (RFC 7518 §3.2).
    pub secret: Option<String>,
    /// A PEM file with the public keys of RS256, ES256 or EdDSA tokens; read again when it changes.
    pub public_key_file: Option<PathBuf>,
    /// Where the issuer publishes such keys (RFC 7517 §5).
    pub jwks_url: Option<String>,
    /// The `iss` a token must have.
    pub issuer: Option<String>,
    /// The `aud` a token must have or hold.
    pub audience: Option<String>,
    /// Further issuers, each with keys of its own.
    pub issuers: Vec<IssuerOptions>,
    /// How often keys are fetched in any case: so long those that were withdrawn stay good.
    #[serde(deserialize_with = "time")]
    pub jwks_refresh: Duration,
    /// The least time between two fetches from one server.
    #[serde(deserialize_with = "time")]
    pub jwks_pause: Duration,
    /// Private networks that key servers may be in.
    pub jwks_addresses: Vec<String>,
    /// Who gives tokens to MCP clients, by their OAuth 2 issuer URLs (RFC 9728 §2).
    pub authorization_servers: Vec<String>,
}

/// One of `[[auth.issuers]]`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerOptions {
    /// The `iss` its tokens have.
    pub issuer: String,
    /// The `aud` they must have or hold; `auth.audience` if it is not said.
    pub audience: Option<String>,
    pub public_key_file: Option<PathBuf>,
    pub jwks_url: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            secret: None,
            public_key_file: None,
            jwks_url: None,
            issuer: None,
            audience: None,
            issuers: Vec::new(),
            jwks_refresh: Duration::from_secs(15 * 60),
            jwks_pause: Duration::from_secs(5),
            jwks_addresses: Vec::new(),
            authorization_servers: Vec::new(),
        }
    }
}

/// What in the table cannot be.
#[derive(Debug, thiserror::Error)]
pub enum BadOptions {
    #[error(
        "auth.secret has {0} bytes, but HS256 needs at least {SECRET_BYTES_MIN}; \
         `openssl rand -base64 48` makes a good one"
    )]
    SecretTooShort(usize),
    #[error("the public key file {}: {fault}", path.display())]
    KeyFile { path: PathBuf, fault: BadKeyFile },
    #[error(
        "jwks_url {0:?} is no URL keys can be fetched from; write one such as \
         \"https://login.example.com/jwks.json\" (http only to this machine)"
    )]
    NotAKeyUrl(String),
    #[error("a jwks_url has a user name or password in it; public keys need none, so leave it out")]
    Credentials,
    #[error("auth.jwks_addresses: {0:?} is no network; write one such as \"10.0.0.0/8\"")]
    NoNetwork(String),
    #[error(
        "auth.issuers: {0:?} has neither jwks_url nor public_key_file, so no token of it can be \
         verified"
    )]
    NoKeys(String),
    #[error("auth.issuers: {0:?} is there twice; put its keys together")]
    Twice(String),
    #[error(
        "auth.authorization_servers: {0:?} is no issuer URL; write one such as \
         \"https://login.example.com\", without query (http only to this machine)"
    )]
    NotAnAuthorizationServer(String),
    #[error(
        "{key} is set, but without auth.secret, auth.public_key_file, auth.jwks_url or \
         auth.issuers nobody's token is looked at"
    )]
    RulesWithoutKeys { key: &'static str },
    #[error(
        "auth.issuer is set, but there is neither auth.secret, auth.public_key_file nor \
         auth.jwks_url to go with it; those of auth.issuers have names of their own"
    )]
    NameWithoutKeys,
    #[error("there can be no HTTP client to fetch keys with: {0}")]
    NoClient(reqwest::Error),
}

/// An issuer with everything that could be checked about it.
pub(super) struct CheckedIssuer {
    pub name: Option<String>,
    pub audience: Option<String>,
    pub places: Vec<Place>,
}

/// Where keys are.
pub(super) enum Place {
    Secret(String),
    File(PathBuf),
    Server(Url),
}

impl Options {
    /// Whether callers have to show a token.
    pub fn is_on(&self) -> bool {
        self.has_own_keys() || !self.issuers.is_empty()
    }

    /// Whether there are keys other than those of `issuers`.
    fn has_own_keys(&self) -> bool {
        self.secret.is_some() || self.public_key_file.is_some() || self.jwks_url.is_some()
    }

    /// Checks what needs no file and no network.
    pub fn check(&self) -> Result<(), BadOptions> {
        if self.issuer.is_some() && self.is_on() && !self.has_own_keys() {
            return Err(BadOptions::NameWithoutKeys);
        }
        for (key, is_set) in [
            ("auth.issuer", self.issuer.is_some()),
            ("auth.audience", self.audience.is_some()),
            ("auth.authorization_servers", !self.authorization_servers.is_empty()),
        ] {
            if is_set && !self.is_on() {
                return Err(BadOptions::RulesWithoutKeys { key });
            }
        }
        if let Some(url) = self.authorization_servers.iter().find(|url| !is_issuer_url(url)) {
            return Err(BadOptions::NotAnAuthorizationServer(url.clone()));
        }
        self.manners()?;
        self.checked_issuers().map(drop)
    }

    pub(super) fn manners(&self) -> Result<Manners, BadOptions> {
        let networks = self.jwks_addresses.iter();
        let networks =
            networks.map(|text| net(text).ok_or_else(|| BadOptions::NoNetwork(text.clone())));
        Ok(Manners {
            refresh: self.jwks_refresh,
            pause: self.jwks_pause,
            networks: networks.collect::<Result<_, _>>()?,
        })
    }

    /// The issuer of the table itself, if it has keys, and those of `[[auth.issuers]]`.
    pub(super) fn checked_issuers(&self) -> Result<Vec<CheckedIssuer>, BadOptions> {
        let mut issuers = Vec::new();
        let mut own = places(self.public_key_file.as_ref(), self.jwks_url.as_ref())?;
        if let Some(secret) = &self.secret {
            if secret.len() < SECRET_BYTES_MIN {
                return Err(BadOptions::SecretTooShort(secret.len()));
            }
            own.push(Place::Secret(secret.clone()));
        }
        if !own.is_empty() {
            let (name, audience) = (self.issuer.clone(), self.audience.clone());
            issuers.push(CheckedIssuer { name, audience, places: own });
        }
        let mut names: HashSet<_> = issuers.iter().filter_map(|own| own.name.clone()).collect();
        for options in &self.issuers {
            let name = options.issuer.clone();
            if !names.insert(name.clone()) {
                return Err(BadOptions::Twice(name));
            }
            let places = places(options.public_key_file.as_ref(), options.jwks_url.as_ref())?;
            if places.is_empty() {
                return Err(BadOptions::NoKeys(name));
            }
            let audience = options.audience.clone().or_else(|| self.audience.clone());
            issuers.push(CheckedIssuer { name: Some(name), audience, places });
        }
        Ok(issuers)
    }
}

fn places(file: Option<&PathBuf>, url: Option<&String>) -> Result<Vec<Place>, BadOptions> {
    let file = file.cloned().map(Place::File);
    let server = url.map(|text| key_url(text).map(Place::Server)).transpose()?;
    Ok(file.into_iter().chain(server).collect())
}

fn key_url(text: &str) -> Result<Url, BadOptions> {
    let url: Option<Url> = text.parse().ok();
    // It is not repeated: complaints are for everybody to read, and so is the log.
    if url.as_ref().is_some_and(|url| !url.username().is_empty() || url.password().is_some()) {
        return Err(BadOptions::Credentials);
    }
    let url = url.filter(|url| is_safe(url) && url.fragment().is_none());
    url.ok_or_else(|| BadOptions::NotAKeyUrl(text.to_owned()))
}

/// Whether `text` may name an authorization server (RFC 8414 §2).
fn is_issuer_url(text: &str) -> bool {
    let url: Option<Url> = text.parse().ok();
    url.is_some_and(|url| is_safe(&url) && url.query().is_none() && url.fragment().is_none())
}

/// Whether nobody on the way can read or change what is fetched from `url`.
fn is_safe(url: &Url) -> bool {
    let is_this_machine = url.host_str() == Some("localhost")
        || address(url).is_some_and(|address| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && is_this_machine)
}
