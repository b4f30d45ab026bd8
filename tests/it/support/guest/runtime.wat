;; What every guest is made of. It needs a global $heap: where memory is free.

;; A bump allocator that gives nothing back: a guest lives for one call.
(func $realloc (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
  (local $place i32) (local $end i32) (local $missing i32)
  (local.set $place (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
  (local.set $end (i32.add (local.get $place) (local.get $size)))
  (if (i32.lt_u (local.get $end) (local.get $place)) (then unreachable))
  (if (i32.gt_u (local.get $end) (i32.shl (memory.size) (i32.const 16))) (then
    (local.set $missing (i32.sub (local.get $end) (i32.shl (memory.size) (i32.const 16))))
    (if (i32.eq (i32.const -1)
          (memory.grow (i32.add (i32.shr_u (local.get $missing) (i32.const 16)) (i32.const 1))))
      (then unreachable))))
  (memory.copy (local.get $place) (local.get $old) (local.get $old-size))
  (global.set $heap (local.get $end))
  (local.get $place))

;; Memory for `size` bytes.
(func $alloc (param $size i32) (result i32)
  (call $realloc (i32.const 0) (i32.const 0) (i32.const 16) (local.get $size)))

;; Whether two texts are the same.
(func $same (param $a i32) (param $a-len i32) (param $b i32) (param $b-len i32) (result i32)
  (if (i32.ne (local.get $a-len) (local.get $b-len)) (then (return (i32.const 0))))
  (loop $next
    (if (i32.eqz (local.get $a-len)) (then (return (i32.const 1))))
    (local.set $a-len (i32.sub (local.get $a-len) (i32.const 1)))
    (br_if $next (i32.eq
      (i32.load8_u (i32.add (local.get $a) (local.get $a-len)))
      (i32.load8_u (i32.add (local.get $b) (local.get $a-len))))))
  (i32.const 0))

;; What a guest said so far.
(global $said (mut i32) (i32.const 0))
(global $said-len (mut i32) (i32.const 0))

;; Says more.
(func $say (param $text i32) (param $len i32)
  (global.set $said (call $realloc (global.get $said) (global.get $said-len) (i32.const 1)
    (i32.add (global.get $said-len) (local.get $len))))
  (memory.copy (i32.add (global.get $said) (global.get $said-len)) (local.get $text) (local.get $len))
  (global.set $said-len (i32.add (global.get $said-len) (local.get $len))))

;; Says a number.
(func $say-number (param $number i32)
  (local $digit i32)
  (if (i32.ge_u (local.get $number) (i32.const 10)) (then
    (call $say-number (i32.div_u (local.get $number) (i32.const 10)))))
  (local.set $digit (call $alloc (i32.const 1)))
  (i32.store8 (local.get $digit)
    (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
  (call $say (local.get $digit) (i32.const 1)))
