//! Guests that use what WASI grants: surroundings, files, the web, time.

use super::{
    encode::{WASI, packages},
    image::SCRATCH,
    provider::Body,
};

/// Tells the environment, `KEY=VALUE` a line.
pub(crate) fn environment() -> Body {
    Body::Say(format!(
        "(call $wasi:cli/environment#get-environment (i32.const {SCRATCH}))
         (local.set $p (i32.load (i32.const {SCRATCH})))
         (local.set $n (i32.load offset=4 (i32.const {SCRATCH})))
         (block $done (loop $next
           (br_if $done (i32.eqz (local.get $n)))
           (call $say (i32.load (local.get $p)) (i32.load offset=4 (local.get $p)))
           (call $say @'=')
           (call $say (i32.load offset=8 (local.get $p)) (i32.load offset=12 (local.get $p)))
           (call $say @'\n')
           (local.set $p (i32.add (local.get $p) (i32.const 16)))
           (local.set $n (i32.sub (local.get $n) (i32.const 1)))
           (br $next)))"
    ))
}

/// Tells what the file at `path` in the first granted folder holds, or `error: WHY`.
pub(crate) fn read(path: &str) -> Body {
    let open = open(path, 0, 1);
    let why = error("wasi:filesystem/types", 4);
    Body::Say(format!(
        "(block $end {open}
           (call $wasi:filesystem/types#descriptor.read
             (local.get $i) (i64.const 65536) (i64.const 0) (i32.const {SCRATCH}))
           (if (i32.load8_u (i32.const {SCRATCH})) (then {why} (br $end)))
           (call $say
             (i32.load offset=4 (i32.const {SCRATCH})) (i32.load offset=8 (i32.const {SCRATCH}))))"
    ))
}

/// Writes a file at `path` in the first granted folder and tells how many bytes, or `error: WHY`.
pub(crate) fn write(path: &str, text: &str) -> Body {
    let open = open(path, 1, 2);
    let why = error("wasi:filesystem/types", 8);
    Body::Say(format!(
        "(block $end {open}
           (call $wasi:filesystem/types#descriptor.write
             (local.get $i) @'{text}' (i64.const 0) (i32.const {SCRATCH}))
           (if (i32.load8_u (i32.const {SCRATCH})) (then {why} (br $end)))
           (call $say-number (i32.load offset=8 (i32.const {SCRATCH}))))"
    ))
}

/// Opens a file into `$i`, or tells why not and leaves by `$end`.
fn open(path: &str, open_flags: u32, flags: u32) -> String {
    let why = error("wasi:filesystem/types", 4);
    format!(
        "(call $wasi:filesystem/preopens#get-directories (i32.const {SCRATCH}))
         (if (i32.eqz (i32.load offset=4 (i32.const {SCRATCH}))) (then
           (call $say @'error: no folder') (br $end)))
         (call $wasi:filesystem/types#descriptor.open-at
           (i32.load (i32.load (i32.const {SCRATCH}))) (i32.const 1) @'{path}'
           (i32.const {open_flags}) (i32.const {flags}) (i32.const {SCRATCH}))
         (if (i32.load8_u (i32.const {SCRATCH})) (then {why} (br $end)))
         (local.set $i (i32.load offset=4 (i32.const {SCRATCH})))"
    )
}

/// Asks `http://AUTHORITY/PATH` and tells status and body, `200 hello`, or `error: WHY`.
pub(crate) fn fetch(authority: &str, path: &str) -> Body {
    let refused = error("wasi:http/types", 8);
    let failed = error("wasi:http/types", 24);
    // `$i` is the future, then the response, then its body and the body's stream.
    Body::Say(format!(
        "(block $end
         (local.set $i
           (call $wasi:http/types#outgoing-request.new (call $wasi:http/types#fields.new)))
         (drop (call $wasi:http/types#outgoing-request.set-scheme
           (local.get $i) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
         (drop (call $wasi:http/types#outgoing-request.set-authority
           (local.get $i) (i32.const 1) @'{authority}'))
         (drop (call $wasi:http/types#outgoing-request.set-path-with-query
           (local.get $i) (i32.const 1) @'{path}'))
         (call $wasi:http/outgoing-handler#handle
           (local.get $i) (i32.const 0) (i32.const 0) (i32.const {SCRATCH}))
         (if (i32.load8_u (i32.const {SCRATCH})) (then {refused} (br $end)))
         (local.set $i (i32.load offset=8 (i32.const {SCRATCH})))
         (call $wasi:io/poll#pollable.block
           (call $wasi:http/types#future-incoming-response.subscribe (local.get $i)))
         (call $wasi:http/types#future-incoming-response.get
           (local.get $i) (i32.const {SCRATCH}))
         (if (i32.load8_u offset=16 (i32.const {SCRATCH})) (then {failed} (br $end)))
         (local.set $i (i32.load offset=24 (i32.const {SCRATCH})))
         (call $say-number (call $wasi:http/types#incoming-response.status (local.get $i)))
         (call $say @' ')
         (call $wasi:http/types#incoming-response.consume (local.get $i) (i32.const {SCRATCH}))
         (local.set $i (i32.load offset=4 (i32.const {SCRATCH})))
         (call $wasi:http/types#incoming-body.stream (local.get $i) (i32.const {SCRATCH}))
         (local.set $i (i32.load offset=4 (i32.const {SCRATCH})))
         (loop $next
           (call $wasi:io/streams#input-stream.blocking-read
             (local.get $i) (i64.const 65536) (i32.const {SCRATCH}))
           (br_if $end (i32.load8_u (i32.const {SCRATCH})))
           (call $say
             (i32.load offset=4 (i32.const {SCRATCH})) (i32.load offset=8 (i32.const {SCRATCH})))
           (br $next)))"
    ))
}

/// Code that writes a text of at most 4096 bytes to `stdout` or `stderr`, `times` times.
pub(crate) fn print(stream: &str, text: &str, times: u32) -> String {
    format!(
        "(local.set $p (call $wasi:cli/{stream}#get-{stream}))
         (local.set $i (i32.const {times}))
         (loop $next
           (call $wasi:io/streams#output-stream.blocking-write-and-flush
             (local.get $p) @'{text}' (i32.const {SCRATCH}))
           (if (i32.load8_u (i32.const {SCRATCH})) (then unreachable))
           (br_if $next (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))"
    )
}

/// Code that sleeps so many nanoseconds.
pub(crate) fn sleep(nanoseconds: u64) -> String {
    format!(
        "(call $wasi:io/poll#pollable.block
           (call $wasi:clocks/monotonic-clock#subscribe-duration (i64.const {nanoseconds})))"
    )
}

/// Code that tells the case of an interface's `error-code` that stands at `offset`.
fn error(interface: &str, offset: usize) -> String {
    let resolve = packages(&[WASI]);
    let (package, interface) = interface.split_once('/').expect("an interface");
    let interfaces = resolve.interfaces.iter().map(|(_, known)| known);
    let mut interfaces = interfaces.filter(|known| known.name.as_deref() == Some(interface));
    let known = interfaces.find(|known| {
        let id = known.package.expect("a package");
        resolve.packages[id].name.to_string().starts_with(package)
    });
    let kind = &resolve.types[known.expect("the interface").types["error-code"]].kind;
    let names: Vec<&str> = match kind {
        wit_parser::TypeDefKind::Enum(cases) => {
            cases.cases.iter().map(|case| &*case.name).collect()
        }
        wit_parser::TypeDefKind::Variant(of) => of.cases.iter().map(|case| &*case.name).collect(),
        _ => panic!("no error code: {kind:?}"),
    };
    let case = format!("(i32.load8_u offset={offset} (i32.const {SCRATCH}))");
    let arms = names.iter().enumerate().map(|(index, name)| {
        format!("(if (i32.eq {case} (i32.const {index})) (then (call $say @'{name}')))")
    });
    format!("(call $say @'error: ') {}", arms.collect::<String>())
}
