//! How many connections there may be: in all, and from one address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::model::limits::Limits;

/// Counts the connections that are open.
pub(super) struct Admission {
    max: usize,
    max_per_address: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_origin: HashMap<IpAddr, usize>,
    /// Said once for each time that the hub fills up.
    has_warned: bool,
}

/// One open connection; no longer counted once dropped.
pub(super) struct Place {
    admission: Arc<Admission>,
    origin: Option<IpAddr>,
}

/// Which bound keeps a connection out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("this hub has no room for more than {0} connections (limits.connections)")]
    All(usize),
    #[error(
        "no more than {0} connections may come from one address (limits.connections_per_address)"
    )]
    Address(usize),
}

impl Full {
    /// The key of the bound.
    pub(super) fn limit(self) -> &'static str {
        match self {
            Self::All(_) => "limits.connections",
            Self::Address(_) => "limits.connections_per_address",
        }
    }
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            max: limits.connections.get(),
            max_per_address: limits.connections_per_address.get(),
            open: Mutex::default(),
        }
    }

    /// Lets a connection of `peer` in. `is_proxy`: it stands for many and has no share.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr, is_proxy: bool) -> Result<Place, Full> {
        let origin = (!is_proxy).then(|| origin_of(peer));
        let mut open = self.open.lock();
        if open.all >= self.max {
            if !open.has_warned {
                open.has_warned = true;
                tracing::warn!(max = self.max, "full: no more connections (limits.connections)");
            }
            return Err(Full::All(self.max));
        }
        if let Some(origin) = origin {
            let count = open.by_origin.entry(origin).or_default();
            if *count >= self.max_per_address {
                return Err(Full::Address(self.max_per_address));
            }
            *count += 1;
        }
        open.all += 1;
        Ok(Place { admission: Arc::clone(self), origin })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.admission.open.lock();
        open.all -= 1;
        if open.all < self.admission.max / 10 * 9 {
            open.has_warned = false;
        }
        if let Some(origin) = self.origin
            && let Some(count) = open.by_origin.get_mut(&origin)
        {
            *count -= 1;
            if *count == 0 {
                open.by_origin.remove(&origin);
            }
        }
    }
}

/// Whom an address belongs to: of IPv6 anybody has a whole /64 to come from.
fn origin_of(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            Ipv6Addr::from_bits(network).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(max: usize, max_per_address: usize) -> Arc<Admission> {
        Arc::new(Admission { max, max_per_address, open: Mutex::default() })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn as_many_as_there_is_room_for_and_no_more() {
        let admission = admission(2, 2);
        let first = admission.admit(ip("192.0.2.1"), false).unwrap();
        let _second = admission.admit(ip("192.0.2.2"), false).unwrap();
        assert_eq!(admission.admit(ip("192.0.2.3"), false).err(), Some(Full::All(2)));
        drop(first);
        admission.admit(ip("192.0.2.3"), false).unwrap();
    }

    #[test]
    fn one_address_has_a_share_and_a_proxy_has_none() {
        let admission = admission(10, 2);
        let refused = |peer: &str| admission.admit(ip(peer), false).err();
        let mut held: Vec<_> = ["2001:db8::1", "2001:db8::2"]
            .map(|peer| admission.admit(ip(peer), false).unwrap())
            .into();
        assert_eq!(refused("2001:db8::3"), Some(Full::Address(2)), "of the same network");
        assert_eq!(refused("2001:db8:0:1::1"), None);
        held.extend((0..3).map(|_| admission.admit(ip("10.0.0.1"), true).unwrap()));
        held.clear();
        assert_eq!(refused("2001:db8::3"), None);
        assert!(admission.open.lock().by_origin.is_empty(), "nothing is kept of who has left");
    }
}
