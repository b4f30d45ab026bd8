//! The types that JSON can carry: a copy of a WIT type in our own words, of bounded size.
//!
//! Whatever is read, printed or described afterwards follows a [`Shape`], so that depth and size are
//! checked once, here, and the rest of the module needs neither a component nor an engine to be tested.

use std::{fmt, ops::RangeInclusive};

use wasmtime::component::{Type, Val};

/// Levels of types within types. A level takes at most four levels of JSON Schema, and the hub
/// reads JSON of 128 levels.
pub(super) const TYPE_DEPTH_MAX: usize = 24;
/// The types of one function, counted as in [`Budget`]. WIT types may share parts, so that a few
/// bytes of component can stand for an enormous tree.
pub(super) const FUNCTION_TYPE_BYTES_MAX: usize = 256 << 10;
/// What one type counts for, beside the names in it.
const TYPE_BYTES: usize = 64;

/// A WIT type that JSON can carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    Integer(Integer),
    Float32,
    Float64,
    Char,
    String,
    /// `list<u8>`, in JSON as base64.
    Bytes,
    List(Box<Self>),
    /// `list<T, N>`
    FixedList(Box<Self>, usize),
    /// `map<string, V>`, in JSON as an object.
    Dictionary(Box<Self>),
    /// A map with other keys, in JSON as an array of pairs.
    Map(Box<Self>, Box<Self>),
    Record(Vec<Field>),
    Tuple(Vec<Self>),
    Variant(Vec<Case>),
    Enum(Vec<String>),
    Flags(Vec<String>),
    Option(Box<Self>),
    Result(Payload, Payload),
}

/// What a case of a `result` carries.
pub(super) type Payload = Option<Box<Shape>>;

/// A parameter, or a field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) name: String,
    /// What the case carries, as the field `val` beside `tag`.
    pub(super) value: Option<Field>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Integer {
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
}

/// Why JSON cannot carry a type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    /// Where, within what was looked at: `.body[].handle`.
    pub(super) path: String,
    /// A predicate: "is a stream, which JSON cannot carry".
    pub(super) problem: &'static str,
}

/// How many bytes of types and names may still be copied.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) left: usize,
}

impl Shape {
    pub(super) fn of(ty: &Type, budget: &mut Budget) -> Result<Self, Unfit> {
        Self::at(ty, TYPE_DEPTH_MAX, budget)
    }

    /// `levels`: how many are left, this one included.
    fn at(ty: &Type, levels: usize, budget: &mut Budget) -> Result<Self, Unfit> {
        budget.take(TYPE_BYTES)?;
        let levels = levels.checked_sub(1).ok_or(Unfit::new("nests too many types"))?;
        let mut part = |ty: &Type, step: &dyn fmt::Display| {
            Self::at(ty, levels, budget).map_err(|unfit| unfit.below(step))
        };
        Ok(match ty {
            Type::Bool => Self::Bool,
            Type::S8 => Self::Integer(Integer::S8),
            Type::U8 => Self::Integer(Integer::U8),
            Type::S16 => Self::Integer(Integer::S16),
            Type::U16 => Self::Integer(Integer::U16),
            Type::S32 => Self::Integer(Integer::S32),
            Type::U32 => Self::Integer(Integer::U32),
            Type::S64 => Self::Integer(Integer::S64),
            Type::U64 => Self::Integer(Integer::U64),
            Type::Float32 => Self::Float32,
            Type::Float64 => Self::Float64,
            Type::Char => Self::Char,
            Type::String => Self::String,
            Type::List(list) => match part(&list.ty(), &"[]")? {
                Self::Integer(Integer::U8) => Self::Bytes,
                item => Self::List(Box::new(item)),
            },
            Type::FixedLengthList(list) => {
                let length =
                    usize::try_from(list.len()).map_err(|_beyond| Unfit::new("is too long"))?;
                Self::FixedList(Box::new(part(&list.ty(), &"[]")?), length)
            }
            Type::Map(map) => {
                let (key, value) = (part(&map.key(), &"[]")?, part(&map.value(), &"[]")?);
                match key {
                    Self::String => Self::Dictionary(Box::new(value)),
                    key => Self::Map(Box::new(key), Box::new(value)),
                }
            }
            Type::Record(record) => Self::Record(
                record
                    .fields()
                    .map(|field| Field::of(field.name, &field.ty, levels, budget))
                    .collect::<Result<_, _>>()?,
            ),
            Type::Tuple(tuple) => Self::Tuple(
                tuple
                    .types()
                    .enumerate()
                    .map(|(index, ty)| part(&ty, &format_args!("[{index}]")))
                    .collect::<Result<_, _>>()?,
            ),
            Type::Variant(variant) => Self::Variant(
                variant
                    .cases()
                    .map(|case| Case::of(case.name, case.ty.as_ref(), levels, budget))
                    .collect::<Result<_, _>>()?,
            ),
            Type::Enum(cases) => Self::Enum(names(cases.names(), budget)?),
            Type::Flags(flags) => Self::Flags(names(flags.names(), budget)?),
            Type::Option(option) => Self::Option(Box::new(part(&option.ty(), &"")?)),
            Type::Result(result) => {
                let mut payload = |ty: Option<Type>, step: &'static str| {
                    ty.map(|ty| part(&ty, &step).map(Box::new)).transpose()
                };
                Self::Result(payload(result.ok(), ".ok")?, payload(result.err(), ".err")?)
            }
            Type::Own(_) => return Err(Unfit::new("is a resource, which JSON cannot carry")),
            Type::Borrow(_) => {
                return Err(Unfit::new("borrows a resource, which JSON cannot carry"));
            }
            Type::Future(_) => return Err(Unfit::new("is a future, which JSON cannot carry")),
            Type::Stream(_) => return Err(Unfit::new("is a stream, which JSON cannot carry")),
            Type::ErrorContext => {
                return Err(Unfit::new("is an error-context, which JSON cannot carry"));
            }
        })
    }

    pub(super) fn is_option(&self) -> bool {
        matches!(self, Self::Option(_))
    }

    /// Whether each value of the type is a JSON object.
    pub(super) fn is_object(&self) -> bool {
        matches!(self, Self::Record(_) | Self::Variant(_) | Self::Result(..) | Self::Dictionary(_))
    }
}

impl Field {
    pub(super) fn of(
        name: &str,
        ty: &Type,
        levels: usize,
        budget: &mut Budget,
    ) -> Result<Self, Unfit> {
        let name = budget.copy(name)?;
        let shape =
            Shape::at(ty, levels, budget).map_err(|unfit| unfit.below(&format_args!(".{name}")))?;
        Ok(Self { name, shape })
    }
}

impl Case {
    fn of(
        name: &str,
        ty: Option<&Type>,
        levels: usize,
        budget: &mut Budget,
    ) -> Result<Self, Unfit> {
        budget.take(TYPE_BYTES)?;
        let value = ty.map(|ty| Field::of("val", ty, levels, budget)).transpose();
        let value = value.map_err(|unfit| unfit.below(&format_args!(".{name}")))?;
        Ok(Self { name: budget.copy(name)?, value })
    }
}

fn names<'a>(
    names: impl Iterator<Item = &'a str>,
    budget: &mut Budget,
) -> Result<Vec<String>, Unfit> {
    names.map(|name| budget.copy(name)).collect()
}

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), Unfit> {
        self.left = self.left.checked_sub(bytes).ok_or(Unfit::new("makes the types too large"))?;
        Ok(())
    }

    fn copy(&mut self, name: &str) -> Result<String, Unfit> {
        self.take(size_of::<String>() + name.len())?;
        Ok(name.to_owned())
    }
}

impl Unfit {
    fn new(problem: &'static str) -> Self {
        Self { path: String::new(), problem }
    }

    fn below(mut self, step: &dyn fmt::Display) -> Self {
        self.path.insert_str(0, &step.to_string());
        self
    }
}

impl Integer {
    pub(super) fn range(self) -> RangeInclusive<i128> {
        match self {
            Self::S8 => i8::MIN.into()..=i8::MAX.into(),
            Self::U8 => 0..=u8::MAX.into(),
            Self::S16 => i16::MIN.into()..=i16::MAX.into(),
            Self::U16 => 0..=u16::MAX.into(),
            Self::S32 => i32::MIN.into()..=i32::MAX.into(),
            Self::U32 => 0..=u32::MAX.into(),
            Self::S64 => i64::MIN.into()..=i64::MAX.into(),
            Self::U64 => 0..=u64::MAX.into(),
        }
    }

    /// `None` when `number` is out of range.
    pub(super) fn val(self, number: i128) -> Option<Val> {
        Some(match self {
            Self::S8 => Val::S8(number.try_into().ok()?),
            Self::U8 => Val::U8(number.try_into().ok()?),
            Self::S16 => Val::S16(number.try_into().ok()?),
            Self::U16 => Val::U16(number.try_into().ok()?),
            Self::S32 => Val::S32(number.try_into().ok()?),
            Self::U32 => Val::U32(number.try_into().ok()?),
            Self::S64 => Val::S64(number.try_into().ok()?),
            Self::U64 => Val::U64(number.try_into().ok()?),
        })
    }
}
