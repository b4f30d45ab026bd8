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
    looked: [Option<Look>; 2],
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
        let (mut known, mut before) = (self.looked, self.looked);
        let mut tick = tokio::time::interval(LOOK_INTERVAL);
        loop {
            tick.tick().await;
            let now = self.files.look().await;
            // Both files are replaced one after the other: they are read when they look the same
            // for a second time.
            let has_settled = now == before;
            before = now;
            if now == known || !has_settled {
                continue;
            }
            known = now;
            match self.files.read(self.config.crypto_provider()).await {
                Ok(certified) => {
                    self.current.0.store(Arc::new(certified));
                    replacements("taken").increment(1);
                    tracing::info!(cert = %self.files.cert.display(), "a new certificate is served");
                }
                Err(error) => {
                    replacements("refused").increment(1);
                    tracing::error!(
                        %error,
                        "the new certificate is not taken; the one before goes on being served"
                    );
                }
            }
        }
    }
}

/// Has both outcomes counted from the start: one that never came up is to be seen as zero.
pub(super) fn prepare() {
    ["taken", "refused"].into_iter().for_each(|outcome| replacements(outcome).increment(0));
}

fn replacements(outcome: &'static str) -> Counter {
    counter!("mcp_hub_certificates_total", "outcome" => outcome)
}

/// What a file looks like from outside.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    /// In seconds and nanoseconds.
    modified: (i64, i64),
    length: u64,
}

impl Files {
    /// Certificate and key; `None` of one that is not there.
    async fn look(&self) -> [Option<Look>; 2] {
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
