//! Components made on the spot, with the kit that the tests make theirs with.

#[expect(dead_code, clippy::panic, reason = "made for tests, which use the rest")]
#[path = "../../tests/it/support/guest/encode.rs"]
mod encode;
#[expect(dead_code, clippy::panic, reason = "made for tests, which use the rest")]
#[path = "../../tests/it/support/guest/image.rs"]
mod image;
#[expect(dead_code, reason = "made for tests, which use the rest")]
#[path = "../../tests/it/support/guest/provider.rs"]
mod provider;

use self::provider::{Body, Guest};
use crate::ask::ECHO;

pub(crate) const SPIN: &str = "spin";

/// Answers with its arguments.
pub(crate) fn echo() -> Vec<u8> {
    Guest::of(ECHO, Body::Echo).build()
}

/// Computes on for ever.
pub(crate) fn spin() -> Vec<u8> {
    Guest::of(SPIN, Body::Spin).build()
}

/// The same component as another file: with one more custom section, which means nothing.
pub(crate) fn variant(wasm: &[u8], number: u8) -> Vec<u8> {
    // The section's kind and length, then its name with the name's length, then what it holds.
    [wasm, &[0, 3, 1, b'n', number]].concat()
}
