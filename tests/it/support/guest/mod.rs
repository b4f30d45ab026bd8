//! Guests for tests, made of core WAT and WIT with no toolchain: well-behaved ones to order
//! ([`Guest`]), ones of other worlds ([`component`], [`typed`](typed::typed)), and hostile ones
//! ([`hostile::corpus`]).

pub(crate) mod binary;
pub(crate) mod encode;
pub(crate) mod hostile;
pub(crate) mod image;
pub(crate) mod provider;
pub(crate) mod typed;
pub(crate) mod wasi;

pub(crate) use self::provider::{Body, Guest, tool};
