//! Components made for no hub: ordinary functions with types, which become tools by reflection.

use wit_parser::PackageMetadata;

use super::{
    binary::custom,
    encode::{RUNTIME, component, packages},
};

/// What [`typed`] exports.
pub(crate) const TYPED: &str = include_str!("typed.wit");

/// A component of functions with records, variants, lists, results, options, enums and flags, and
/// two that need a resource.
pub(crate) fn typed() -> Vec<u8> {
    let shapes = "demo:shapes/shapes@1.0.0";
    let code = format!(
        r#"(module
        (import "[export]{shapes}" "[resource-new]counter" (func $new-counter (param i32) (result i32)))
        (memory (export "memory") 1)
        (global $heap (mut i32) (i32.const 1024))
        (data (i32.const 64) "Hello, ")
        (data (i32.const 80) "nobody to greet")
        {RUNTIME}
        (export "cabi_realloc" (func $realloc))

        (func (export "{shapes}#add") (param i32 i32) (result i32)
          (i32.add (local.get 0) (local.get 1)))

        ;; The person comes flat: name, age, and the option of an email in three.
        (func (export "{shapes}#greet")
          (param $name i32) (param $name-len i32) (param $age i32) (param i32 i32 i32) (result i32)
          (if (local.get $name-len)
            (then
              (call $say (i32.const 64) (i32.const 7))
              (call $say (local.get $name) (local.get $name-len))
              (i32.store (i32.const 0) (i32.const 0))
              (i32.store (i32.const 4) (global.get $said))
              (i32.store (i32.const 8) (global.get $said-len)))
            (else
              (i32.store (i32.const 0) (i32.const 1))
              (i32.store (i32.const 4) (i32.const 80))
              (i32.store (i32.const 8) (i32.const 15))))
          (i32.const 0))

        (func (export "{shapes}#area") (param $case i32) (param $a f64) (param $b f64) (result f64)
          (if (i32.eqz (local.get $case)) (then
            (return (f64.mul (local.get $a) (local.get $a)))))
          (if (i32.eq (local.get $case) (i32.const 1)) (then
            (return (f64.mul (local.get $a) (local.get $b)))))
          (f64.const 0))

        (func (export "{shapes}#sum") (param $xs i32) (param $n i32) (result i64)
          (local $sum i64)
          (block $done (loop $next
            (br_if $done (i32.eqz (local.get $n)))
            (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $xs))))
            (local.set $xs (i32.add (local.get $xs) (i32.const 8)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br $next)))
          (local.get $sum))

        (func (export "{shapes}#paint") (param $color i32) (param $style i32) (result i32)
          (i32.store8 (i32.const 0) (local.get $color))
          (i32.store8 (i32.const 1) (local.get $style))
          (i32.const 0))

        ;; A person takes 24 bytes, and the option of one 28.
        (func (export "{shapes}#first") (param $people i32) (param $n i32) (result i32)
          (i32.store (i32.const 0) (i32.ne (local.get $n) (i32.const 0)))
          (if (local.get $n) (then
            (memory.copy (i32.const 4) (local.get $people) (i32.const 24))))
          (i32.const 0))

        (func (export "{shapes}#nothing"))
        (func (export "{shapes}#fail") unreachable)

        (func (export "{shapes}#open-counter") (result i32) (call $new-counter (i32.const 7)))
        (func (export "{shapes}#read-counter") (param i32) (result i32) (local.get 0))

        (func (export "repeat") (param $text i32) (param $len i32) (result i32)
          (i32.store (i32.const 0) (local.get $text))
          (i32.store (i32.const 4) (local.get $len))
          (i32.const 0)))"#
    );
    component(TYPED, "typed", &code)
}

/// The same with the comments of its WIT, as `wit-component` embeds them on request.
pub(crate) fn documented() -> Vec<u8> {
    let resolve = packages(&[TYPED]);
    let (package, _) = resolve.packages.iter().next().expect("a package");
    let docs = PackageMetadata::extract(&resolve, package).encode().expect("the comments");
    custom(&typed(), "package-docs", &docs)
}

/// A component of which no function can be a tool.
pub(crate) fn handles() -> Vec<u8> {
    let code = r#"(module
        (import "[export]counters" "[resource-new]counter" (func $new (param i32) (result i32)))
        (func (export "counters#open") (result i32) (call $new (i32.const 7))))"#;
    component(TYPED, "handles", code)
}
