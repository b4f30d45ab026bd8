//! Resolves names for an HTTP client and leaves out the addresses that it may not connect to.
//!
//! The client connects to just the addresses that were checked: a name server that says one thing to
//! the check and another to the connection gains nothing. An address that a URL names itself is never
//! resolved, so whoever builds the request checks that.

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Knows which addresses are in order. IPv4 addresses come to it as such, however they were written.
pub struct Resolver {
    allows: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

/// A name was found at addresses of which none is allowed; this is one of them.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not granted")]
pub struct Withheld(IpAddr);

impl Resolver {
    pub fn new(allows: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self { allows: Arc::new(allows) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allows = Arc::clone(&self.allows);
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let (allowed, withheld): (Vec<SocketAddr>, Vec<_>) =
                found.into_iter().partition(|found| allows(super::network::plain(found.ip())));
            match (allowed.is_empty(), withheld.first()) {
                (true, Some(withheld)) => Err(Withheld(withheld.ip()).into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

impl Withheld {
    /// The address that was withheld, if that is why a request failed with `error`.
    pub fn behind(error: &(dyn Error + 'static)) -> Option<IpAddr> {
        let mut cause = Some(error);
        while let Some(inner) = cause {
            if let Some(Self(address)) = inner.downcast_ref() {
                return Some(*address);
            }
            cause = inner.source();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn addresses_that_are_not_allowed_are_left_out() {
        let name = || "localhost".parse().unwrap();
        let found = Resolver::new(|address| address.is_loopback()).resolve(name()).await;
        assert!(found.unwrap().all(|found| found.ip().is_loopback()));
        let refused = Resolver::new(|_| false).resolve(name()).await.err().unwrap();
        let withheld = Withheld::behind(&*refused).expect("the reason");
        assert!(withheld.is_loopback());
        let v4 = Resolver::new(|address| address == Ipv4Addr::LOCALHOST).resolve(name()).await;
        assert!(v4.unwrap().all(|found| found.ip() == Ipv4Addr::LOCALHOST));
    }
}
