//! The hub's certificate: read at the start, read anew when its files change.

use std::{
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use metrics::{Counter, counter};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at. Events of the file system would be heard sooner, but not on
/// every one, and not of every way in which certificates are replaced.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The largest file of certificates or of a key.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// What is spoken here, dearest first (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The `[tls]` table of the configuration. Without it the hub speaks plain HTTP.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The certificate and those that vouch for it, in PEM.
    pub cert: Option<PathBuf>,
    /// Its private key, in PEM.
    pub key: Option<PathBuf>,
}

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BadCertificate {
    #[error("{key} names {}, which cannot be read: {why}", path.display())]
    Unreadable { key: &'static str, path: PathBuf, why: io::Error },
    #[error("{key} names {}, which is larger than 1 MiB", path.display())]
    TooLarge { key: &'static str, path: PathBuf },
    #[error("tls.cert names {}, which has no certificate in PEM: {why}", path.display())]
    NoCertificate { path: PathBuf, why: pem::Error },
    #[error("tls.key names {}, which has no private key in PEM: {why}", path.display())]
    NoKey { path: PathBuf, why: pem::Error },
    #[error("the key in {} (tls.key) and the certificate in {} (tls.cert) do not go together: {why}", key.display(), cert.display())]
    Mismatched { cert: PathBuf, key: PathBuf, why: rustls::Error },
    #[error("TLS cannot be set up: {0}")]
    Unusable(rustls::Error),
}

/// A certificate and its key, in two files that may be replaced at any time.
pub struct Certificate {
    files: Files,
    /// How they looked just before they were read.
    looked: Looks,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// What new connections are shown; those that are open keep what they saw.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Certificate {
    /// Reads both files. They have to fit.
    pub async fn load(cert: &Path, key: &Path) -> Result<Self, BadCertificate> {
        let files = Files { cert: cert.to_owned(), key: key.to_owned() };
        let looked = files.look().await;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certified = files.read(&provider).await?;
        let current = Arc::new(Current(ArcSwap::from_pointee(certified)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(BadCertificate::Unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as _);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Self { files, looked, current, config: Arc::new(config) })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Looks at the files, for ever, and takes what they hold when it is new and good.
    pub async fn follow(self: Arc<Self>) {
        let mut watch = Watch::new(self.looked);
        let mut tick = tokio::time::interval(LOOK_INTERVAL);
        loop {
            tick.tick().await;
            if !watch.is_to_be_read(self.files.look().await) {
                continue;
            }
            match self.files.read(self.config.crypto_provider()).await {
                Ok(certified) => {
                    watch.is_read();
                    self.current.0.store(Arc::new(certified));
                    replacements("taken").increment(1);
                    tracing::info!(cert = %self.files.cert.display(), "a new certificate is served");
                }
                Err(error) if watch.is_news(&error) => {
                    replacements("refused").increment(1);
                    tracing::error!(
                        %error,
                        "the new certificate is not taken; the one before goes on being served"
                    );
                }
                Err(_told_before) => {}
            }
        }
    }
}

/// When the files are to be read, and whether what is wrong with them has been said.
struct Watch {
    /// How they looked when they were read last.
    known: Looks,
    before: Looks,
    /// What was wrong with them since.
    complaint: Option<String>,
}

impl Watch {
    fn new(known: Looks) -> Self {
        Self { known, before: known, complaint: None }
    }

    /// Both files are replaced one after the other: they are read when they look the same for a
    /// second time.
    fn is_to_be_read(&mut self, now: Looks) -> bool {
        let has_settled = now == self.before;
        self.before = now;
        if now == self.known {
            self.complaint = None;
        }
        has_settled && now != self.known
    }

    /// They are served.
    fn is_read(&mut self) {
        (self.known, self.complaint) = (self.before, None);
    }

    /// Whether this has not been said yet. What they hold stays bad until they look different; but
    /// what cannot be read may be readable at any time, by no change of the file: it is tried again.
    fn is_news(&mut self, error: &BadCertificate) -> bool {
        let is_final = !matches!(error, BadCertificate::Unreadable { .. });
        if is_final {
            self.known = self.before;
        }
        let told = error.to_string();
        let is_news = is_final || self.complaint.as_ref() != Some(&told);
        self.complaint = Some(told);
        is_news
    }
}

/// Has both outcomes counted from the start: one that never came up is to be seen as zero.
pub(super) fn prepare() {
    ["taken", "refused"].into_iter().for_each(|outcome| replacements(outcome).increment(0));
}

fn replacements(outcome: &'static str) -> Counter {
    counter!("mcp_hub_certificates_total", "outcome" => outcome)
}

/// What certificate and key look like; `None` of one that is not there.
type Looks = [Option<Look>; 2];

/// What a file looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    /// In seconds and nanoseconds.
    modified: (i64, i64),
    length: u64,
}

impl Files {
    async fn look(&self) -> Looks {
        [look(&self.cert).await, look(&self.key).await]
    }

    async fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, BadCertificate> {
        let Self { cert, key } = self;
        let chain = read("tls.cert", cert).await?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
        let chain = chain.and_then(|chain| {
            if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) }
        });
        let chain =
            chain.map_err(|why| BadCertificate::NoCertificate { path: cert.clone(), why })?;
        let secret = PrivateKeyDer::from_pem_slice(&read("tls.key", key).await?);
        let secret = secret.map_err(|why| BadCertificate::NoKey { path: key.clone(), why })?;
        let mismatched =
            |why| BadCertificate::Mismatched { cert: cert.clone(), key: key.clone(), why };
        CertifiedKey::from_der(chain, secret, provider).map_err(mismatched)
    }
}

async fn look(path: &Path) -> Option<Look> {
    // Through links, so that one that is set to another file is seen.
    let meta: Metadata = tokio::fs::metadata(path).await.ok()?;
    Some(Look {
        device: meta.dev(),
        inode: meta.ino(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        length: meta.len(),
    })
}

async fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, BadCertificate> {
    let unreadable = |why| BadCertificate::Unreadable { key, path: path.to_owned(), why };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut content = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).await;
    let length = read.map_err(unreadable)?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(BadCertificate::TooLarge { key, path: path.to_owned() });
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(length: u64) -> Looks {
        [None, Some(Look { device: 1, inode: 1, modified: (0, 0), length })]
    }

    fn unreadable() -> BadCertificate {
        let why = io::ErrorKind::PermissionDenied.into();
        BadCertificate::Unreadable { key: "tls.key", path: "key.pem".into(), why }
    }

    #[test]
    fn files_are_read_when_they_have_changed_and_settled() {
        let mut watch = Watch::new(looks(1));
        assert!(!watch.is_to_be_read(looks(1)));
        assert!(!watch.is_to_be_read(looks(2)), "they may still be changing");
        assert!(watch.is_to_be_read(looks(2)));
        watch.is_read();
        assert!(!watch.is_to_be_read(looks(2)));
    }

    #[test]
    fn what_cannot_be_read_is_tried_again_and_said_once() {
        let mut watch = Watch::new(looks(1));
        watch.is_to_be_read(looks(2));
        for is_news in [true, false, false] {
            assert!(watch.is_to_be_read(looks(2)));
            assert_eq!(watch.is_news(&unreadable()), is_news);
        }
        assert!(watch.is_to_be_read(looks(2)));
        watch.is_read();
        assert!(!watch.is_to_be_read(looks(2)));
    }

    #[test]
    fn what_does_not_fit_is_read_again_when_it_has_changed() {
        let mut watch = Watch::new(looks(1));
        let bad = BadCertificate::TooLarge { key: "tls.key", path: "key.pem".into() };
        for length in [2, 3] {
            assert!(!watch.is_to_be_read(looks(length)));
            assert!(watch.is_to_be_read(looks(length)));
            assert!(watch.is_news(&bad));
            assert!(!watch.is_to_be_read(looks(length)));
        }
    }
}
