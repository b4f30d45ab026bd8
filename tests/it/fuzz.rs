//! The fuzz targets over their corpora, and over what chance makes of those; cargo-fuzz goes on where
//! this ends.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use mcp_hub::fuzzing::TARGETS;
use tokio::time::Instant;

use crate::support::{chance::Chance, runner};

/// What chance makes of each corpus in every run of the tests.
const MUTATIONS: usize = 6_000;
/// Changes to one input.
const CHANGES_MAX: usize = 4;
const BYTES_MAX: usize = 4096;
/// What means something to the parsers.
const WORDS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"{}",
    b"[]",
    b"\"\"",
    b"\\u0000",
    b"\\ud800",
    b"\\u0061",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"18446744073709551616",
    b"\"_meta\":",
    b"\"id\":",
    b"\"method\":",
    b"\"params\":",
    b"\"name\":",
    b"\"requestState\":",
    b"\"result\":",
    b"${KEY}",
    b"=?base64?",
    b"?=",
    b".",
    b"=",
    b"..",
    b"data: ",
];

#[test]
fn every_target_keeps_its_word() {
    let length = runner::length();
    let end = length.map(|length| Instant::now() + length);
    for seed in 1.. {
        let mut chance = Chance::of(seed);
        for (name, target) in TARGETS {
            let corpus = corpus(name);
            for (path, bytes) in corpus.iter().filter(|_| seed == 1) {
                feed(*target, bytes, &path.display().to_string());
            }
            for number in 0..MUTATIONS {
                let bytes = mutated(&corpus, &mut chance);
                feed(*target, &bytes, &format!("{name}, seed {seed}, mutation {number}"));
            }
        }
        if end.is_none_or(|end| Instant::now() >= end) {
            return;
        }
    }
}

/// Shows the input when the target does not bear it, so that it can be put into the corpus.
fn feed(target: fn(&[u8]), bytes: &[u8], which: &str) {
    if catch_unwind(AssertUnwindSafe(|| target(bytes))).is_err() {
        panic!("{which}: b\"{}\"", bytes.escape_ascii());
    }
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = files(&Path::new("fuzz/corpus").join(name));
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a readable input");
        (path, bytes)
    };
    files.into_iter().map(read).collect()
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

/// One input of the corpus, with some changes.
fn mutated(corpus: &[(PathBuf, Vec<u8>)], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = chance.pick(corpus).1.clone();
    for _ in 0..=chance.below(CHANGES_MAX) {
        let (from, to) = span(&bytes, chance);
        match chance.below(7) {
            0 if from < bytes.len() => bytes[from] ^= 1 << chance.below(8),
            1 => drop(bytes.drain(from..to)),
            2 => bytes.truncate(from),
            3 => {
                let part = bytes[from..to].to_vec();
                bytes.splice(from..from, part);
            }
            4 => {
                let other = &chance.pick(corpus).1;
                let (start, end) = span(other, chance);
                bytes.splice(from..to, other[start..end].iter().copied());
            }
            5 => {
                let word = *chance.pick(WORDS);
                bytes.splice(from..to, word.iter().copied());
            }
            _ => {
                let word = *chance.pick(WORDS);
                bytes.splice(from..from, word.iter().copied());
            }
        }
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn span(bytes: &[u8], chance: &mut Chance) -> (usize, usize) {
    let ends = [chance.below(bytes.len() + 1), chance.below(bytes.len() + 1)];
    (ends[0].min(ends[1]), ends[0].max(ends[1]))
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stems = |folder: &str| -> BTreeSet<String> {
        let files = files(Path::new(folder));
        files
            .iter()
            .map(|p| p.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect()
    };
    assert_eq!(stems("fuzz/fuzz_targets"), names);
    assert_eq!(stems("fuzz/corpus"), names);
    let manifest = fs::read_to_string("fuzz/Cargo.toml").expect("a manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let programs = manifest["bin"].as_array().expect("programs");
    let programs: BTreeSet<_> =
        programs.iter().map(|bin| bin["name"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(programs, names);
    for name in names {
        let program = format!("fuzz/fuzz_targets/{name}.rs");
        let program = fs::read_to_string(program).expect("readable source");
        assert!(program.contains(&format!("mcp_hub::fuzzing::{name}(bytes)")), "{program}");
    }
}
