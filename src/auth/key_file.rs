//! Public keys in a file, which may be replaced by others while the hub runs.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::pki_types::pem::{PemObject, SectionKind};

use super::{
    key::{Key, Unusable},
    key_set::KeySet,
    ring::{Revision, Ring},
};

/// How often the file is read. Its content is what counts: however it was replaced, it is noticed.
const INTERVAL: Duration = Duration::from_secs(1);
/// Keys that one file may have. None has a name, so each token is tried with all of its algorithm.
const KEYS_MAX: usize = 4;
/// The most that is read of it. A key has less than a kilobyte.
const BYTES_MAX: u64 = 64 * 1024;

/// Why the keys of a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKeyFile {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is larger than {BYTES_MAX} bytes")]
    TooLarge,
    #[error("it is no PEM file")]
    NotPem,
    #[error(
        "it has no public key; one begins with `-----BEGIN PUBLIC KEY-----`, and `openssl pkey \
         -in private.pem -pubout` writes it"
    )]
    Empty,
    #[error(
        "it holds a private key, which nobody but its owner may have; only the public one \
         belongs there"
    )]
    Private,
    #[error("it has {0} public keys, more than {KEYS_MAX}")]
    TooMany(usize),
    #[error("a key in it is of no use: {0}")]
    Unusable(#[from] Unusable),
}

/// A file of public keys.
pub(super) struct KeyFile {
    path: PathBuf,
    read: Vec<u8>,
    ring: Arc<Ring>,
}

impl KeyFile {
    /// Reads the keys of the file at `path` into a ring of their own.
    pub(super) fn open(path: &Path, revision: Revision) -> Result<Self, BadKeyFile> {
        let read = content(path)?;
        let ring = Arc::new(Ring::new(parse(&read)?, revision));
        Ok(Self { path: path.to_owned(), read, ring })
    }

    pub(super) fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring)
    }

    /// Puts the keys of the file into the ring whenever they have changed; runs until dropped. While
    /// they cannot be used the last good ones stay.
    pub(super) async fn keep(mut self) {
        let mut tick = tokio::time::interval(INTERVAL);
        let mut told = None;
        loop {
            tick.tick().await;
            let fault = self.look().await.err().map(|error| error.to_string());
            if fault != told
                && let Some(error) = &fault
            {
                let file = self.path.display();
                tracing::error!(%file, %error, "the public keys of before stay in use");
            }
            told = fault;
        }
    }

    /// Reads the file once more.
    async fn look(&mut self) -> Result<(), BadKeyFile> {
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || content(&path));
        let read = reading.await.map_err(io::Error::other)??;
        if read == self.read {
            return Ok(());
        }
        let keys = parse(&read)?;
        let file = self.path.display();
        tracing::info!(%file, keys = keys.len(), "the public keys were replaced");
        self.read = read;
        self.ring.replace(keys);
        Ok(())
    }
}

fn content(path: &Path) -> Result<Vec<u8>, BadKeyFile> {
    let mut read = Vec::new();
    File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut read)?;
    if read.len() as u64 > BYTES_MAX { Err(BadKeyFile::TooLarge) } else { Ok(read) }
}

fn parse(text: &[u8]) -> Result<KeySet, BadKeyFile> {
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
        match section.map_err(|_unreadable| BadKeyFile::NotPem)? {
            (SectionKind::PublicKey, der) => keys.push(Key::from_spki(&der)?),
            (
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey,
                _,
            ) => return Err(BadKeyFile::Private),
            _ => {}
        }
    }
    match keys.len() {
        0 => Err(BadKeyFile::Empty),
        1..=KEYS_MAX => Ok(KeySet::of(keys)),
        many => Err(BadKeyFile::TooMany(many)),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
    };

    use super::*;

    fn pem(algorithm: &'static rcgen::SignatureAlgorithm) -> String {
        KeyPair::generate_for(algorithm).unwrap().public_key_pem()
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let fault = parse(text.as_bytes()).err().expect("a fault").to_string();
        assert!(fault.contains(why), "{fault:?} should say {why:?}");
    }

    #[test]
    fn each_kind_of_key_is_for_its_algorithm() {
        for (kind, algorithm) in [
            (&PKCS_RSA_SHA256, "RS256"),
            (&PKCS_ECDSA_P256_SHA256, "ES256"),
            (&PKCS_ED25519, "EdDSA"),
        ] {
            let keys = parse(pem(kind).as_bytes()).unwrap();
            assert_eq!(keys.algorithms().collect::<Vec<_>>(), [algorithm]);
        }
    }

    #[test]
    fn several_keys_in_one_file_are_all_taken() {
        let text = [pem(&PKCS_ED25519), "a remark\n".into(), pem(&PKCS_ECDSA_P256_SHA256)].concat();
        assert_eq!(parse(text.as_bytes()).unwrap().len(), 2);
        for count in [KEYS_MAX - 1, KEYS_MAX] {
            assert_eq!(parse(pem(&PKCS_ED25519).repeat(count).as_bytes()).unwrap().len(), count);
        }
        refused(&pem(&PKCS_ED25519).repeat(KEYS_MAX + 1), "has 5 public keys");
    }

    #[test]
    fn what_is_no_public_key_is_refused_with_the_reason() {
        refused("", "no public key");
        refused("ssh-ed25519 AAAAC3Nza", "no public key");
        refused("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n", "no PEM file");
        refused("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "neither an RSA");
        refused(&pem(&PKCS_ECDSA_P384_SHA384), "neither an RSA key, nor one on the curve P-256");
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        refused(&pair.serialize_pem(), "private key");
        refused(&[pair.public_key_pem(), pair.serialize_pem()].concat(), "private key");
    }
}
