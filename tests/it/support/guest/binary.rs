//! What no text can say, or not in a short time: components put together byte by byte.

const CORE_MODULE: u8 = 1;
const COMPONENT: u8 = 4;
const COMPONENT_INSTANCE: u8 = 5;

/// `component` with `passenger`, a component that imports nothing, inside: the host compiles and
/// instantiates both.
pub(crate) fn carrying(component: &[u8], passenger: &[u8]) -> Vec<u8> {
    let index = sections(component).filter(|id| *id == COMPONENT).count();
    let mut bytes = component.to_vec();
    section(&mut bytes, COMPONENT, passenger);
    // One instance: `(instance (instantiate INDEX))`, without arguments.
    let mut instance = vec![1, 0];
    leb128(&mut instance, index);
    instance.push(0);
    section(&mut bytes, COMPONENT_INSTANCE, &instance);
    bytes
}

/// A component around a core module, which is compiled and never instantiated.
pub(crate) fn shipping(module: &[u8]) -> Vec<u8> {
    let mut bytes = empty();
    section(&mut bytes, CORE_MODULE, module);
    bytes
}

/// A component in a component in a component, `depth` times.
pub(crate) fn nested(depth: usize) -> Vec<u8> {
    // Written from the end, so that each length is known when its turn comes.
    let mut reversed: Vec<u8> = empty().into_iter().rev().collect();
    for _ in 0..depth {
        let mut head = empty();
        head.push(COMPONENT);
        leb128(&mut head, reversed.len());
        reversed.extend(head.into_iter().rev());
    }
    reversed.reverse();
    reversed
}

/// A core module of `count` functions without parameters and results, each with the same `locals`
/// of type `i32` and the same code.
pub(crate) fn functions(count: usize, locals: usize, code: &[u8]) -> Vec<u8> {
    let mut body = vec![1];
    leb128(&mut body, locals);
    body.extend_from_slice(&[0x7f]);
    body.extend_from_slice(code);
    body.push(0x0b);

    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, 1, &[1, 0x60, 0, 0]);
    let mut types = Vec::new();
    leb128(&mut types, count);
    types.resize(types.len() + count, 0);
    section(&mut module, 3, &types);
    let mut bodies = Vec::new();
    leb128(&mut bodies, count);
    for _ in 0..count {
        leb128(&mut bodies, body.len());
        bodies.extend_from_slice(&body);
    }
    section(&mut module, 10, &bodies);
    module
}

/// `component` with a custom section.
pub(crate) fn custom(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    leb128(&mut content, name.len());
    content.extend_from_slice(name.as_bytes());
    content.extend_from_slice(data);
    let mut bytes = component.to_vec();
    section(&mut bytes, 0, &content);
    bytes
}

pub(crate) fn empty() -> Vec<u8> {
    b"\0asm\x0d\0\x01\0".to_vec()
}

/// Appends a number as Wasm writes it.
pub(crate) fn leb128(bytes: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        bytes.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    bytes.push(low_bits(number));
}

fn low_bits(number: usize) -> u8 {
    u8::try_from(number & 0x7f).expect("seven bits")
}

fn section(bytes: &mut Vec<u8>, id: u8, content: &[u8]) {
    bytes.push(id);
    leb128(bytes, content.len());
    bytes.extend_from_slice(content);
}

/// The kinds of a component's sections, in order.
fn sections(component: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut rest = &component[8..];
    std::iter::from_fn(move || {
        let (id, tail) = rest.split_first()?;
        let digits = tail.iter().take_while(|byte| **byte >= 0x80).count() + 1;
        let length = tail[..digits]
            .iter()
            .rev()
            .fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        rest = &tail[digits + length..];
        Some(*id)
    })
}
