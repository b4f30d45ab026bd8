//! Tells by their tokens who people are (JWT, RFC 7519).

use std::{pin::Pin, sync::Arc};

use super::{
    Options, Resource,
    claims::{Bearer, Rules},
    denial::{Maker, Reason},
    issuer::{Issuer, Source, Unproven},
    jose::{Header, claimed_issuer, has_bounds},
    key::Key,
    key_file::KeyFile,
    key_server::{KeyServer, Manners},
    key_set::KeySet,
    options::{BadOptions, CheckedIssuer, Place},
    ring::{Revision, Ring},
    verified::{Digest, Verified},
};
use crate::model::clock::UnixTime;

/// Everybody whose tokens are believed.
pub struct Tokens {
    issuers: Vec<Issuer>,
    /// Of the keys of all of them.
    revision: Revision,
    verified: Verified,
    maker: Maker,
}

/// A task that keeps keys as they are where they come from; runs until dropped.
pub type Chore = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Tokens {
    /// Reads the keys that are at hand; the chores bring those of servers, and newer ones. Tokens
    /// have to be for `resource` where `options` do not say otherwise. `None` when there are no keys
    /// at all: authentication is off.
    pub fn new(
        options: &Options,
        resource: Option<&Resource>,
    ) -> Result<(Option<Self>, Vec<Chore>), BadOptions> {
        let (revision, manners) = (Revision::default(), options.manners()?);
        let mut chores = Vec::new();
        let mut issuers = Vec::new();
        for CheckedIssuer { name, audience, places } in options.checked_issuers()? {
            let mut sources = Vec::new();
            for place in places {
                let (source, chore) = source(place, &manners, revision.clone())?;
                sources.push(source);
                chores.extend(chore);
            }
            let audience = audience.or_else(|| resource.map(|own| own.uri.clone()));
            issuers.push(Issuer { rules: Rules { issuer: name, audience }, sources });
        }
        let maker = if options.secret.is_some() { Maker::Hub } else { Maker::Issuer };
        let is_on = !issuers.is_empty();
        let tokens = Self { issuers, revision, verified: Verified::default(), maker };
        Ok((is_on.then_some(tokens), chores))
    }

    pub(super) fn maker(&self) -> Maker {
        self.maker
    }

    /// Who bears `token`, if it is good at `now`. Waits only if its key is not here and a server may
    /// have it.
    pub(crate) async fn verify(&self, token: &str, now: UnixTime) -> Result<Bearer, Reason> {
        let bearer = match self.judge(token) {
            Ok(bearer) => bearer,
            Err(Unproven::Refused(why)) => return Err(why),
            Err(Unproven::Missing(server)) => self.judge_again(token, server).await?,
        };
        bearer.is_in_time(now, self.maker)?;
        Ok(bearer)
    }

    /// As [`Self::judge`], once `server` has been asked for the key that was missing.
    async fn judge_again(&self, token: &str, server: &KeyServer) -> Result<Bearer, Reason> {
        let no_keys = |why| Reason::NoKeys { why, retry_after: server.retry_after() };
        let mut asked = server.ask().map_err(no_keys)?;
        loop {
            let fetched = asked.fetched().await;
            match self.judge(token) {
                Ok(bearer) => return Ok(bearer),
                Err(Unproven::Refused(why)) => return Err(why),
                Err(Unproven::Missing(_)) => {}
            }
            if fetched.map_err(no_keys)? {
                return Err(Reason::bad("it is signed with a key that its issuer does not have"));
            }
        }
    }

    /// As [`Self::verify`], with the keys that are here, and whatever the time.
    fn judge(&self, token: &str) -> Result<Bearer, Unproven<'_>> {
        has_bounds(token)?;
        // Read before any key: a change in between makes what is remembered old, never wrong.
        let (digest, revision) = (Digest::of(token), self.revision.current());
        if let Some(bearer) = self.verified.get(digest, revision) {
            return Ok(bearer);
        }
        let header = Header::read(token)?;
        let bearer = self.issuer(token)?.bearer(token, &header)?;
        self.verified.put(digest, revision, bearer.clone());
        Ok(bearer)
    }

    /// Whose keys `token` has to be signed with. Tokens of nobody in particular are those of the
    /// issuer without a name, if there is one.
    fn issuer(&self, token: &str) -> Result<&Issuer, Reason> {
        if let [only] = self.issuers.as_slice() {
            return Ok(only);
        }
        let claimed = claimed_issuer(token)?;
        let named = self.issuers.iter().filter(|issuer| issuer.rules.issuer.is_some());
        let mut named = named.filter(|issuer| issuer.rules.issuer == claimed);
        let nameless = || self.issuers.iter().find(|issuer| issuer.rules.issuer.is_none());
        named
            .next()
            .or_else(nameless)
            .ok_or_else(|| Reason::bad("its `iss` is none this hub knows"))
    }
}

/// Takes the keys of a place, and what keeps them fresh if they can change.
fn source(
    place: Place,
    manners: &Manners,
    revision: Revision,
) -> Result<(Source, Option<Chore>), BadOptions> {
    match place {
        Place::Secret(secret) => {
            let keys = KeySet::of(vec![Key::secret(secret.as_bytes())]);
            let ring = Arc::new(Ring::new(keys, revision));
            Ok((Source { ring, server: None }, None))
        }
        Place::File(path) => {
            let file = KeyFile::open(&path, revision)
                .map_err(|fault| BadOptions::KeyFile { path, fault })?;
            let ring = file.ring();
            Ok((Source { ring, server: None }, Some(Box::pin(file.keep()))))
        }
        Place::Server(url) => {
            let (server, fetcher) =
                KeyServer::new(url, manners.clone(), revision).map_err(BadOptions::NoClient)?;
            let ring = server.ring();
            Ok((Source { ring, server: Some(server) }, Some(Box::pin(fetcher.run()))))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jsonwebtoken::{Algorithm, EncodingKey};

    use super::*;
    use crate::{
        auth::{Scope, Signer, User},
        model::id::UserId,
    };

    const SECRET: &str = "a secret of at least thirty-two bytes";
    const NOW: UnixTime = UnixTime(1_000_000);

    fn options(issuer: Option<&str>, audience: Option<&str>) -> Options {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let (issuer, audience) = (own(issuer), own(audience));
        Options { secret: Some(SECRET.into()), issuer, audience, ..Options::default() }
    }

    async fn verified(options: &Options, token: &str, now: UnixTime) -> Result<User, Reason> {
        let (tokens, _) = Tokens::new(options, None).unwrap();
        tokens.unwrap().verify(token, now).await.map(|bearer| User::of(bearer, None))
    }

    fn signed(algorithm: Algorithm, secret: &str, claims: &str) -> String {
        with_header(&jsonwebtoken::Header::new(algorithm), secret, claims)
    }

    fn with_header(header: &jsonwebtoken::Header, secret: &str, claims: &str) -> String {
        let claims: serde_json::Value = serde_json::from_str(claims).unwrap();
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(header, &claims, &key).unwrap()
    }

    fn hs256(claims: &str) -> String {
        signed(Algorithm::HS256, SECRET, claims)
    }

    async fn refused(options: &Options, token: &str, why: &str) {
        let reason = verified(options, token, NOW).await.expect_err("a denial").to_string();
        assert!(reason.contains(why), "{reason:?} should say {why:?}");
    }

    #[tokio::test]
    async fn what_the_hub_signs_it_verifies_until_it_expires() {
        let options = options(Some("me"), Some("hub"));
        let alice = UserId::parse("alice").unwrap();
        let signer = Signer::new(&options, None).unwrap();
        let token = signer.sign(&alice, Some("mcp:tools"), Duration::from_secs(10), NOW);
        let user = verified(&options, &token, NOW).await.unwrap();
        let end = UnixTime(NOW.0 + 10);
        assert_eq!((user.id.as_str(), user.expires), ("alice", Some(end)));
        assert!(user.may(Scope::Tools).is_ok() && user.may(Scope::Provide).is_err());
        let expired = verified(&options, &token, end).await.unwrap_err();
        assert_eq!(expired, Reason::Expired(Maker::Hub));
    }

    #[tokio::test]
    async fn a_token_that_is_known_still_has_its_times() {
        let (tokens, _) = Tokens::new(&options(None, None), None).unwrap();
        let tokens = tokens.unwrap();
        let token = hs256(r#"{"sub":"a","exp":1000100,"nbf":999990}"#);
        for (now, is_good) in [(999_995, true), (1_000_000, true), (1_000_100, false), (1, false)] {
            let verified = tokens.verify(&token, UnixTime(now)).await;
            assert_eq!(verified.is_ok(), is_good, "at {now}: {verified:?}");
        }
    }

    #[tokio::test]
    async fn scopes_are_read_however_a_server_writes_them() {
        for (scopes, tools, provide, admin) in [
            ("", true, true, false),
            (r#","scope":"""#, false, false, false),
            (r#","scope":"openid mcp:tools""#, true, false, false),
            (r#","scope":["mcp:provide","hub:admin"]"#, false, true, true),
            (r#","scp":["openid"]"#, false, false, false),
            (r#","scp":"mcp:tools mcp:provide""#, true, true, false),
            (r#","scope":"openid","scp":["hub:admin"]"#, false, false, false),
            (r#","scope":"mcp:toolsx xmcp:tools""#, false, false, false),
        ] {
            let token = hs256(&format!(r#"{{"sub":"a","exp":2000000{scopes}}}"#));
            let user = verified(&options(None, None), &token, NOW).await.unwrap();
            let may = |scope| user.may(scope).is_ok();
            let has = (may(Scope::Tools), may(Scope::Provide), may(Scope::Admin));
            assert_eq!(has, (tools, provide, admin), "{scopes}");
        }
    }

    #[tokio::test]
    async fn bad_tokens_are_refused() {
        let plain = options(None, None);
        let other = "another secret of thirty-two bytes!!";
        // {"alg":"none","typ":"JWT"} and {"sub":"a","exp":2000000}
        let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwfQ.";
        for (token, why) in [
            (String::new(), "no JSON Web Token"),
            ("a.b.c".into(), "no JSON Web Token"),
            ("a".repeat(16_383), "no JSON Web Token"),
            ("a".repeat(16_384), "no JSON Web Token"),
            ("a".repeat(16_385), "longer than 16384 bytes"),
            (signed(Algorithm::HS256, other, r#"{"sub":"a","exp":2000000}"#), "another secret"),
            (signed(Algorithm::HS512, SECRET, r#"{"sub":"a","exp":2000000}"#), "another algorithm"),
            (unsigned.into(), "another algorithm"),
            (hs256(r#"{"exp":2000000}"#), "missing field `sub`"),
            (hs256(r#"{"sub":"a"}"#), "missing field `exp`"),
            (hs256(r#"{"sub":"a","exp":"2000000"}"#), "invalid type"),
            (hs256(r#"{"sub":"a","exp":-1}"#), "`exp` is no time"),
            (hs256(r#"{"sub":"a","exp":1e300}"#), "`exp` is no time"),
            (hs256(r#"{"sub":"a","exp":2000000,"nbf":"soon"}"#), "invalid type"),
            (hs256(r#"{"sub":"a","exp":2000000,"nbf":1000061}"#), "not valid yet"),
            (hs256(r#"{"sub":" ","exp":2000000}"#), "`sub` is empty or odd"),
            (hs256(r#"{"sub":"a","exp":1000000}"#), "expired"),
        ] {
            refused(&plain, &token, why).await;
        }
    }

    #[tokio::test]
    async fn the_clock_of_an_issuer_may_be_a_minute_ahead() {
        let plain = options(None, None);
        for nbf in [1, 1_000_000, 1_000_001, 1_000_060] {
            let token = hs256(&format!(r#"{{"sub":"a","exp":2000000,"nbf":{nbf}}}"#));
            verified(&plain, &token, NOW).await.unwrap();
        }
    }

    #[tokio::test]
    async fn tokens_of_another_kind_or_with_critical_members_are_refused() {
        let plain = options(None, None);
        let claims = r#"{"sub":"a","exp":2000000}"#;
        let typ = |typ: Option<&str>| jsonwebtoken::Header {
            typ: typ.map(str::to_owned),
            ..jsonwebtoken::Header::default()
        };
        for good in [None, Some("jwt"), Some("at+jwt"), Some("application/at+JWT")] {
            verified(&plain, &with_header(&typ(good), SECRET, claims), NOW).await.unwrap();
        }
        for bad in ["logout+jwt", "dpop+jwt", ""] {
            refused(&plain, &with_header(&typ(Some(bad)), SECRET, claims), "`typ`").await;
        }
        let crit = Some(vec!["exp".to_owned()]);
        let header = jsonwebtoken::Header { crit, ..jsonwebtoken::Header::default() };
        refused(&plain, &with_header(&header, SECRET, claims), "`crit`").await;
    }

    #[tokio::test]
    async fn issuer_and_audience_count_when_configured() {
        let strict = options(Some("me"), Some("hub"));
        for (claims, why) in [
            (r#"{"sub":"a","exp":2000000,"aud":"hub"}"#, "`iss`"),
            (r#"{"sub":"a","exp":2000000,"iss":"me"}"#, "`aud`"),
            (r#"{"sub":"a","exp":2000000,"iss":"me","aud":["x","y"]}"#, "`aud`"),
        ] {
            refused(&strict, &hs256(claims), why).await;
        }
        let good = r#"{"sub":"a","exp":2000000,"iss":"me","aud":["x","hub"]}"#;
        verified(&strict, &hs256(good), NOW).await.unwrap();
    }

    #[test]
    fn a_short_secret_is_refused() {
        let options = Options { secret: Some("short".into()), ..Options::default() };
        assert!(matches!(Tokens::new(&options, None), Err(BadOptions::SecretTooShort(5))));
    }
}
