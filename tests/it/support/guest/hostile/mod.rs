//! What a plugin may do to a hub, one guest each. The hub outlives all of them.
//!
//! Each says what words are in the reason that is given with the default limits, but for two: `time`
//! and `compile_time` are best a second or two, since some guests only end when that is over.

mod composition;
mod files;
mod host;
mod lies;
mod lists;
mod memory;
mod output;
mod time;
mod typed;

use super::provider::{Body, Guest};

pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) wasm: Vec<u8>,
    pub(crate) expect: Expectation,
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// It is kept out, for a reason with these words.
    Refused(&'static str),
    /// It is loaded, but calling its tool `attack` fails, for a reason with these words.
    Contained(&'static str),
    /// It is loaded, and calling its tool `attack` succeeds.
    Harmless,
}

/// Words of reasons that many have in common.
const OUT_OF_TIME: &str = "ran out of time";
const OUT_OF_MEMORY: &str = "ran out of memory";
const OUT_OF_TABLE: &str = "ran out of table elements";
const TOO_MUCH_AT_ONCE: &str = "handed over more than";
const TOO_DEEP: &str = "nest too deep";
const UNREACHABLE: &str = "unreachable";
const OUT_OF_BOUNDS: &str = "out of bounds";

const MIB: usize = 1 << 20;
/// Memory that is almost all a guest may have, in pages, and from where on nothing is in it.
const PAGES: usize = 1000;
const ZEROES: u32 = 4 << 20;

pub(crate) fn corpus() -> Vec<Hostile> {
    let families = [
        time::cases(),
        memory::cases(),
        composition::cases(),
        output::cases(),
        lies::cases(),
        host::cases(),
        lists::cases(),
        files::cases(),
        typed::cases(),
    ];
    families.into_iter().flatten().collect()
}

fn refused(name: &'static str, wasm: impl Into<Vec<u8>>, words: &'static str) -> Hostile {
    Hostile { name, wasm: wasm.into(), expect: Expectation::Refused(words) }
}

fn contained(name: &'static str, wasm: impl Into<Vec<u8>>, words: &'static str) -> Hostile {
    Hostile { name, wasm: wasm.into(), expect: Expectation::Contained(words) }
}

fn harmless(name: &'static str, wasm: impl Into<Vec<u8>>) -> Hostile {
    Hostile { name, wasm: wasm.into(), expect: Expectation::Harmless }
}

/// A guest whose tool `attack` does this.
fn attack(body: Body) -> Guest {
    Guest::of("attack", body)
}

/// A guest whose tool `attack` runs code and then, if it comes so far, answers.
fn code(code: impl Into<String>) -> Guest {
    attack(Body::After(code.into(), Box::new(Body::Text("done".into()))))
}

/// The same code so many times, or for ever.
fn again(times: Option<u32>, code: &str) -> String {
    match times {
        None => format!("(loop $again {code} (br $again))"),
        Some(times) => format!(
            "(local.set $n (i32.const {times}))
             (loop $again {code}
               (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
        ),
    }
}
