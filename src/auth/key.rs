//! A key that verifies tokens. It knows its one algorithm; what a token says can only agree.

use aws_lc_rs::{
    rsa::PublicKey,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
        RsaPublicKeyComponents, VerificationAlgorithm,
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use serde::{Deserialize, de::IgnoredAny};

use super::{claims::Claims, denial::Reason, jose::Header};

/// The moduli RS256 is verified with, in bytes (RFC 7518 §3.3 asks for 2048 bits and more).
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

pub(super) struct Key {
    /// What its issuer calls it. A key without a name may fit any token.
    id: Option<String>,
    algorithm: Algorithm,
    verify: DecodingKey,
    rules: Validation,
}

/// Why a public key is of no use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("it is neither an RSA key, nor one on the curve P-256, nor an Ed25519 key")]
    Kind,
    #[error("its RSA modulus has fewer than 2048 or more than 8192 bits")]
    Size,
    #[error("it is no point of its curve, or broken in another way")]
    Broken,
    #[error("it is for another algorithm than RS256, ES256 or EdDSA, whichever goes with its kind")]
    Algorithm,
    #[error("it is not for verifying signatures")]
    Usage,
    #[error("it is a private key, which nobody but its owner may have")]
    Private,
}

/// A JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2), as far as it is read.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<IgnoredAny>,
}

impl Key {
    fn new(algorithm: Algorithm, verify: DecodingKey) -> Self {
        // The library checks algorithm and signature; what the claims mean is decided elsewhere,
        // where the time is a parameter.
        let mut rules = Validation::new(algorithm);
        rules.validate_exp = false;
        rules.validate_nbf = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        Self { id: None, algorithm, verify, rules }
    }

    /// The key of HS256 tokens.
    pub(super) fn secret(secret: &[u8]) -> Self {
        Self::new(Algorithm::HS256, DecodingKey::from_secret(secret))
    }

    /// A `SubjectPublicKeyInfo` (RFC 5280 §4.1), the content of `BEGIN PUBLIC KEY`.
    pub(super) fn from_spki(der: &[u8]) -> Result<Self, Unusable> {
        if let Ok(key) = PublicKey::from_der(der) {
            let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::from(&key);
            return Self::rsa(&n, &e);
        }
        Self::elliptic(der).or_else(|_other| Self::edwards(der)).map_err(|_other| Unusable::Kind)
    }

    /// A member of a key set.
    pub(super) fn from_jwk(json: &str) -> Result<Self, Unusable> {
        let jwk: Jwk = serde_json::from_str(json).map_err(|_unreadable| Unusable::Broken)?;
        if jwk.d.is_some() {
            return Err(Unusable::Private);
        }
        let verifies = jwk.key_ops.is_none_or(|uses| uses.iter().any(|it| it == "verify"));
        if !verifies || jwk.usage.is_some_and(|usage| usage != "sig") {
            return Err(Unusable::Usage);
        }
        let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Self::rsa(&decoded(jwk.n)?, &decoded(jwk.e)?),
            ("EC", Some("P-256")) => {
                // An uncompressed point (SEC 1 §2.3.3).
                Self::elliptic(&[&[4], &*decoded(jwk.x)?, &*decoded(jwk.y)?].concat())
            }
            ("OKP", Some("Ed25519")) => Self::edwards(&decoded(jwk.x)?),
            _ => Err(Unusable::Kind),
        }?;
        // RFC 9864 §2.2 says more exactly what RFC 8037 called `EdDSA`.
        let said = jwk.alg.map(|alg| if alg == "Ed25519" { "EdDSA".to_owned() } else { alg });
        if said.is_some_and(|alg| alg != key.algorithm()) {
            return Err(Unusable::Algorithm);
        }
        Ok(Self { id: jwk.kid, ..key })
    }

    fn rsa(n: &[u8], e: &[u8]) -> Result<Self, Unusable> {
        let zeros = n.iter().take_while(|byte| **byte == 0).count();
        let n = &n[zeros..];
        if !MODULUS_BYTES.contains(&n.len()) {
            return Err(Unusable::Size);
        }
        RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_rejected| Unusable::Broken)?;
        Ok(Self::new(Algorithm::RS256, DecodingKey::from_rsa_raw_components(n, e)))
    }

    fn elliptic(bytes: &[u8]) -> Result<Self, Unusable> {
        is_sound(&ECDSA_P256_SHA256_FIXED, bytes)?;
        Ok(Self::new(Algorithm::ES256, DecodingKey::from_ec_der(bytes)))
    }

    fn edwards(bytes: &[u8]) -> Result<Self, Unusable> {
        is_sound(&ED25519, bytes)?;
        Ok(Self::new(Algorithm::EdDSA, DecodingKey::from_ed_der(bytes)))
    }

    /// Whether a token with `header` may be signed with it. A token names its key if its issuer has
    /// several (OpenID Connect Core §10.1).
    pub(super) fn may_fit(&self, header: &Header) -> bool {
        let is_meant = match (&self.id, &header.kid) {
            (Some(own), Some(named)) => own == named,
            _ => true,
        };
        is_meant && self.algorithm() == header.algorithm()
    }

    /// How a JOSE header calls its algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
    pub(super) fn algorithm(&self) -> &'static str {
        match self.algorithm {
            Algorithm::RS256 => "RS256",
            Algorithm::ES256 => "ES256",
            Algorithm::EdDSA => "EdDSA",
            _ => "HS256",
        }
    }

    pub(super) fn is_called(&self, id: &str) -> bool {
        self.id.as_deref() == Some(id)
    }

    /// The claims of `token`, if it is signed with this key.
    pub(super) fn claims(&self, token: &str) -> Result<Claims, Reason> {
        match jsonwebtoken::decode(token, &self.verify, &self.rules) {
            Ok(token) => Ok(token.claims),
            Err(error) => Err(Reason::BadToken(match error.kind() {
                ErrorKind::InvalidToken => "it is no JSON Web Token".into(),
                ErrorKind::InvalidSignature if self.algorithm == Algorithm::HS256 => {
                    "it is signed with another secret".into()
                }
                ErrorKind::InvalidSignature => "it is signed with another key".into(),
                _ => error.to_string(),
            })),
        }
    }
}

fn is_sound(algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]) -> Result<(), Unusable> {
    ParsedPublicKey::new(algorithm, bytes).map(drop).map_err(|_rejected| Unusable::Broken)
}

/// A number of a key as JSON has it (RFC 7518 §2).
fn decoded(member: Option<String>) -> Result<Vec<u8>, Unusable> {
    let text = member.ok_or(Unusable::Broken)?;
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_unreadable| Unusable::Broken)
}
