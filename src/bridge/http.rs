//! A link over Streamable HTTP (to come).
use reqwest::{Url, header::HeaderMap};

use super::link::Link;

/// Where an HTTP server is, and what it is to be shown.
#[derive(Debug, Clone)]
pub struct Target {
    pub url: Url,
    pub headers: HeaderMap,
}

pub(super) fn open(_target: &Target) -> Result<Link, String> {
    Err("not yet".into())
}
