//! The expressions of `--where`, read and computed.
//!
//! The crate evalexpr reads them. They are computed here, since a researcher's `/` divides truly, whole numbers of any size
//! compare exactly, and every machine has to come to the same truth: nothing is used whose last digit depends on a
//! processor.

use std::cmp::Ordering;

use evalexpr::{Node, Operator};

use super::number::Number;

/// An expression. Whether its names are those of a space is known only with the space.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Number(Number),
    Text(String),
    Truth(bool),
    Name(String),
    Not(Box<Self>),
    Negative(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Compare(Comparison, Box<Self>, Box<Self>),
    Compute(Computation, Box<Self>, Box<Self>),
    Call(Function, Vec<Self>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Computation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    Abs,
    Ceil,
    Contains,
    EndsWith,
    Floor,
    Max,
    Min,
    Round,
    Sqrt,
    StartsWith,
}

impl Function {
    const NAMED: [(&'static str, Self); 10] = [
        ("abs", Self::Abs),
        ("ceil", Self::Ceil),
        ("contains", Self::Contains),
        ("ends_with", Self::EndsWith),
        ("floor", Self::Floor),
        ("max", Self::Max),
        ("min", Self::Min),
        ("round", Self::Round),
        ("sqrt", Self::Sqrt),
        ("starts_with", Self::StartsWith),
    ];

    /// How many arguments it takes at least, and at most.
    fn takes(self) -> (usize, usize) {
        match self {
            Self::Abs | Self::Ceil | Self::Floor | Self::Round | Self::Sqrt => (1, 1),
            Self::Contains | Self::EndsWith | Self::StartsWith => (2, 2),
            Self::Max | Self::Min => (1, usize::MAX),
        }
    }
}

/// What an expression comes to for an item.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Number(Number),
    Text(&'a [u8]),
    Truth(bool),
    /// An item's value: a text that may read as a number.
    Named(&'a str, &'a [u8]),
}

/// The most operators and braces: reading and computing may take a level of the stack for each.
const MOST_OPERATORS: usize = 500;

/// Stands before what evalexpr is to take as one word whatever is in it: a name in backticks, digits of a large number.
const NAME: char = '\u{f0000}';
const DIGITS: char = '\u{f0001}';
/// Moves a character of such a word to where it means nothing.
const MOVED: u32 = 0xf_0100;

impl Expression {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let tree = evalexpr::build_operator_tree(&spelled(text)?).map_err(|error| readable(&error))?;
        convert(&tree)
    }

    /// The names in it, in order.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Number(_) | Self::Text(_) | Self::Truth(_) => Vec::new(),
            Self::Name(name) => vec![name],
            Self::Not(inner) | Self::Negative(inner) => inner.names(),
            Self::And(left, right)
            | Self::Or(left, right)
            | Self::Compare(_, left, right)
            | Self::Compute(_, left, right) => [left.names(), right.names()].concat(),
            Self::Call(_, arguments) => arguments.iter().flat_map(Self::names).collect(),
        }
    }

    /// Whether it is true, where `value` knows the item's values by name.
    pub(super) fn holds<'a>(&'a self, value: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<bool, String> {
        self.value(value)?.truth()
    }

    /// The number that it comes to.
    #[cfg(feature = "cli")]
    pub(super) fn number<'a>(&'a self, value: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<f64, String> {
        self.value(value)?.number().map(Number::double)
    }

    fn value<'a>(&'a self, of: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<Value<'a>, String> {
        Ok(match self {
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text.as_bytes()),
            Self::Truth(truth) => Value::Truth(*truth),
            Self::Name(name) => Value::Named(name, of(name).ok_or_else(|| format!("there is no name `{name}`"))?),
            Self::Not(inner) => Value::Truth(!inner.value(of)?.truth()?),
            Self::Negative(inner) => Value::Number(inner.value(of)?.number()?.negate()),
            Self::And(left, right) => Value::Truth(left.value(of)?.truth()? && right.value(of)?.truth()?),
            Self::Or(left, right) => Value::Truth(left.value(of)?.truth()? || right.value(of)?.truth()?),
            Self::Compare(comparison, left, right) => {
                Value::Truth(comparison.holds(left.value(of)?, right.value(of)?)?)
            }
            Self::Compute(computation, left, right) => {
                Value::Number(computation.of(left.value(of)?.number()?, right.value(of)?.number()?)?)
            }
            Self::Call(function, arguments) => {
                let values: Vec<_> = arguments.iter().map(|argument| argument.value(of)).collect::<Result<_, _>>()?;
                function.of(&values)?
            }
        })
    }
}

impl<'a> Value<'a> {
    fn truth(self) -> Result<bool, String> {
        match self {
            Self::Truth(truth) => Ok(truth),
            _ => Err(format!("{} is neither true nor false", self.shown())),
        }
    }

    fn number(self) -> Result<Number, String> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Named(_, text) => Number::read(text).ok_or_else(|| format!("{} is no number", self.shown())),
            Self::Truth(_) => Err(format!("{} is no number{CHAIN}", self.shown())),
            Self::Text(_) => Err(format!("{} is no number", self.shown())),
        }
    }

    /// The text that it is, where it is one: an item's value is, a computed number is not.
    fn text(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(text) | Self::Named(_, text) => Some(text),
            Self::Number(_) | Self::Truth(_) => None,
        }
    }

    fn reads_as_number(self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(number),
            Self::Named(_, text) => Number::read(text),
            Self::Text(_) | Self::Truth(_) => None,
        }
    }

    fn shown(self) -> String {
        let quoted = |text: &[u8]| format!("\"{}\"", String::from_utf8_lossy(&text[..text.len().min(60)]));
        match self {
            Self::Number(Number::Integer(integer)) => integer.to_string(),
            Self::Number(Number::Double(double)) => double.to_string(),
            Self::Text(text) => format!("the text {}", quoted(text)),
            Self::Truth(truth) => format!("`{truth}`"),
            Self::Named(name, text) => format!("`{name}`, {},", quoted(text)),
        }
    }
}

const CHAIN: &str = "; a chain such as 1 < x < 5 is written 1 < x && x < 5";

impl Comparison {
    /// Numbers compare as numbers, texts by their bytes; an item's value is both, if it reads as a number.
    fn holds(self, left: Value<'_>, right: Value<'_>) -> Result<bool, String> {
        if let (Value::Truth(left), Value::Truth(right)) = (left, right) {
            return match self {
                Self::Equal => Ok(left == right),
                Self::Unequal => Ok(left != right),
                _ => Err(format!("`{left}` is neither above nor below `{right}`")),
            };
        }
        if let (Value::Truth(_), other) | (other, Value::Truth(_)) = (left, right) {
            return Err(format!("{} and a truth value cannot be compared{CHAIN}", other.shown()));
        }
        let quoted = matches!(left, Value::Text(_)) || matches!(right, Value::Text(_));
        let order = match (left.reads_as_number(), right.reads_as_number(), left.text(), right.text()) {
            (Some(left), Some(right), ..) => left.compare(right),
            (None, None, Some(left), Some(right)) => Some(left.cmp(right)),
            (.., Some(left), Some(right)) if quoted => Some(left.cmp(right)),
            // A number is not equal to what is none, and neither above nor below.
            _ if matches!(self, Self::Equal | Self::Unequal) => None,
            (None, ..) => return Err(format!("{} is no number", left.shown())),
            _ => return Err(format!("{} is no number", right.shown())),
        };
        Ok(match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::Unequal => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        })
    }
}

impl Computation {
    fn of(self, left: Number, right: Number) -> Result<Number, String> {
        let by_zero = || "a division by 0".to_owned();
        match self {
            Self::Add => Ok(left.add(right)),
            Self::Subtract => Ok(left.subtract(right)),
            Self::Multiply => Ok(left.multiply(right)),
            Self::Divide => left.divide(right).ok_or_else(by_zero),
            Self::Remainder => left.remainder(right).ok_or_else(by_zero),
            Self::Power => left.power(right).ok_or_else(|| "an exponent is a whole number, or 0.5".to_owned()),
        }
    }
}

impl Function {
    fn of<'a>(self, values: &[Value<'a>]) -> Result<Value<'a>, String> {
        let number = |place: usize| values[place].number();
        let text = |place: usize| values[place].text().ok_or_else(|| format!("{} is no text", values[place].shown()));
        let extreme = |wanted: Ordering| {
            values[1..].iter().try_fold(number(0)?, |best, value| {
                let value = value.number()?;
                Ok::<_, String>(if value.compare(best) == Some(wanted) { value } else { best })
            })
        };
        let holds = |test: fn(&[u8], &[u8]) -> bool| Ok(Value::Truth(test(text(0)?, text(1)?)));
        Ok(Value::Number(match self {
            Self::Abs => {
                let number = number(0)?;
                let below = number.compare(Number::Integer(0)) == Some(Ordering::Less);
                if below { number.negate() } else { number }
            }
            Self::Ceil => number(0)?.whole(f64::ceil),
            Self::Floor => number(0)?.whole(f64::floor),
            Self::Round => number(0)?.whole(f64::round_ties_even),
            Self::Sqrt => Number::Double(number(0)?.double().sqrt()),
            Self::Max => extreme(Ordering::Greater)?,
            Self::Min => extreme(Ordering::Less)?,
            Self::Contains => return holds(|text, part| memchr::memmem::find(text, part).is_some()),
            Self::EndsWith => return holds(<[u8]>::ends_with),
            Self::StartsWith => return holds(<[u8]>::starts_with),
        }))
    }
}

/// What evalexpr read, as far as it says whether an item counts.
fn convert(node: &Node) -> Result<Expression, String> {
    let children = node.children();
    let boxed = |place: usize| convert(&children[place]).map(Box::new);
    let needs = |count: usize, what: &str| match children.len() == count {
        true => Ok(()),
        false => Err(format!("{what} lacks something that it is about")),
    };
    let compare = |comparison| {
        needs(2, "a comparison")?;
        Ok(Expression::Compare(comparison, boxed(0)?, boxed(1)?))
    };
    let compute = |computation| {
        needs(2, "a computation")?;
        Ok(Expression::Compute(computation, boxed(0)?, boxed(1)?))
    };
    match node.operator() {
        Operator::RootNode if children.is_empty() => {
            Err("there is nothing in it, or in a pair of its braces".to_owned())
        }
        Operator::RootNode => {
            needs(1, "a pair of braces")?;
            convert(&children[0])
        }
        Operator::Const { value } => Ok(match value {
            evalexpr::Value::Int(integer) => Expression::Number(Number::Integer((*integer).into())),
            evalexpr::Value::Float(double) => Expression::Number(Number::Double(*double)),
            evalexpr::Value::String(text) => Expression::Text(text.clone()),
            evalexpr::Value::Boolean(truth) => Expression::Truth(*truth),
            evalexpr::Value::Tuple(_) | evalexpr::Value::Empty => return Err("a list stands for nothing".to_owned()),
        }),
        Operator::VariableIdentifierRead { identifier } => word(identifier),
        Operator::FunctionIdentifier { identifier } => {
            let found = Function::NAMED.iter().find(|(name, _)| name == identifier);
            let Some((name, function)) = found else {
                let word = word(identifier).map_or_else(|_| identifier.clone(), |word| word.names().concat());
                let all: Vec<_> = Function::NAMED.iter().map(|(name, _)| *name).collect();
                return Err(format!(
                    "`{word}` is followed by a value, and is no function: there are {}",
                    all.join(", ")
                ));
            };
            let arguments = arguments(children)?;
            let (least, most) = function.takes();
            if arguments.len() < least || arguments.len() > most {
                return Err(format!("{name} takes {least} value{}", if least == 1 { "" } else { "s" }));
            }
            Ok(Expression::Call(*function, arguments))
        }
        Operator::Not => {
            needs(1, "a `!`")?;
            Ok(Expression::Not(boxed(0)?))
        }
        Operator::Neg => {
            needs(1, "a `-`")?;
            Ok(Expression::Negative(boxed(0)?))
        }
        Operator::And => {
            needs(2, "an `&&`")?;
            Ok(Expression::And(boxed(0)?, boxed(1)?))
        }
        Operator::Or => {
            needs(2, "an `||`")?;
            Ok(Expression::Or(boxed(0)?, boxed(1)?))
        }
        Operator::Eq => compare(Comparison::Equal),
        Operator::Neq => compare(Comparison::Unequal),
        Operator::Gt => compare(Comparison::Greater),
        Operator::Geq => compare(Comparison::GreaterOrEqual),
        Operator::Lt => compare(Comparison::Less),
        Operator::Leq => compare(Comparison::LessOrEqual),
        Operator::Add => compute(Computation::Add),
        Operator::Sub => compute(Computation::Subtract),
        Operator::Mul => compute(Computation::Multiply),
        Operator::Div => compute(Computation::Divide),
        Operator::Mod => compute(Computation::Remainder),
        // Python and R start on the right, MATLAB and evalexpr on the left.
        Operator::Exp if children.first().is_some_and(|left| *left.operator() == Operator::Exp) => {
            Err("a ^ b ^ c needs braces: a ^ (b ^ c) or (a ^ b) ^ c".to_owned())
        }
        Operator::Exp => compute(Computation::Power),
        Operator::Tuple | Operator::Chain => {
            Err("a `,` or `;` stands for nothing; conditions are joined by && or ||".to_owned())
        }
        Operator::Assign
        | Operator::AddAssign
        | Operator::SubAssign
        | Operator::MulAssign
        | Operator::DivAssign
        | Operator::ModAssign
        | Operator::ExpAssign
        | Operator::AndAssign
        | Operator::OrAssign
        | Operator::VariableIdentifierWrite { .. } => {
            Err("a lone `=` sets a value; values are compared by `==`".to_owned())
        }
    }
}

/// What stands in a function's braces.
fn arguments(children: &[Node]) -> Result<Vec<Expression>, String> {
    let [only] = children else { return Ok(Vec::new()) };
    match (only.operator(), only.children()) {
        (Operator::RootNode, []) => Ok(Vec::new()),
        (Operator::RootNode, inner) => arguments(inner),
        (Operator::Tuple, inner) => inner.iter().map(convert).collect(),
        _ => Ok(vec![convert(only)?]),
    }
}

/// A name, or the digits of a number that is too large for evalexpr.
fn word(identifier: &str) -> Result<Expression, String> {
    if let Some(digits) = identifier.strip_prefix(DIGITS) {
        let number = Number::read(digits.as_bytes()).ok_or_else(|| format!("`{digits}` is no number"))?;
        return Ok(Expression::Number(number));
    }
    let back = |letter: char| u32::from(letter).checked_sub(MOVED).and_then(char::from_u32).unwrap_or(letter);
    Ok(Expression::Name(match identifier.strip_prefix(NAME) {
        Some(name) => name.chars().map(back).collect(),
        None => identifier.to_owned(),
    }))
}

/// Characters that end a word.
fn is_special(letter: char) -> bool {
    letter.is_whitespace() || "+-*/%^(),;=!><&|\"'`".contains(letter)
}

/// The expression as evalexpr spells it: `and`, `or`, `not`, a single `&` or `|`, `**`, texts in single quotes and names in
/// backticks are ours, and what it would take for a comment is refused.
fn spelled(text: &str) -> Result<String, String> {
    let mut spelled = String::new();
    let mut rest = text;
    let mut operators = 0;
    while let Some(first) = rest.chars().next() {
        operators += usize::from(is_special(first) && !first.is_whitespace());
        if operators > MOST_OPERATORS {
            return Err(format!("it has more than {MOST_OPERATORS} operators and braces"));
        }
        let after = &rest[first.len_utf8()..];
        let until = |end: &[char]| after.find(end).map(|at| (&after[..at], &after[at + 1..]));
        rest = match first {
            '"' | '\'' => {
                let (inner, left) = quoted(after, first).ok_or_else(|| format!("a {first} is not closed"))?;
                spelled.push('"');
                spelled.push_str(&inner.replace('\\', r"\\").replace('"', "\\\""));
                spelled.push('"');
                left
            }
            '`' => {
                let (name, left) = until(&['`']).ok_or("a ` is not closed")?;
                spelled.push(NAME);
                for letter in name.chars() {
                    let moved = if letter.is_ascii() { char::from_u32(MOVED + u32::from(letter)) } else { None };
                    spelled.push(moved.unwrap_or(letter));
                }
                left
            }
            '/' if after.starts_with(['/', '*']) => {
                return Err(format!("`/{}` stands for nothing; rounded down, a / b is floor(a / b)", &after[..1]));
            }
            '*' if after.starts_with('*') => {
                spelled.push('^');
                &after[1..]
            }
            '&' | '|' => {
                spelled.push(first);
                spelled.push(first);
                after.strip_prefix(first).unwrap_or(after)
            }
            first if is_special(first) => {
                spelled.push(first);
                after
            }
            _ => {
                let end = rest.find(is_special).unwrap_or(rest.len());
                let word = &rest[..end];
                match word {
                    "and" => spelled.push_str("&&"),
                    "or" => spelled.push_str("||"),
                    "not" => {
                        operators += 1;
                        spelled.push('!');
                    }
                    // The largest whole numbers that evalexpr reads as such have 19 digits.
                    _ if word.len() > 18 && word.bytes().all(|byte| byte.is_ascii_digit()) => {
                        spelled.push(DIGITS);
                        spelled.push_str(word);
                    }
                    _ if word.contains([NAME, DIGITS]) => return Err("it holds a character for private use".to_owned()),
                    _ => spelled.push_str(word),
                }
                &rest[end..]
            }
        };
    }
    Ok(spelled)
}

/// The text up to a closing quote, and what is behind that. `\\` and a quote behind `\` stand for themselves.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut inner = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next()? {
                (_, next) if next == quote || next == '\\' => inner.push(next),
                (_, next) => inner.extend(['\\', next]),
            },
            _ if letter == quote => return Some((inner, &text[at + letter.len_utf8()..])),
            _ => inner.push(letter),
        }
    }
    None
}

/// What evalexpr found, in our words; its own would make the runner larger.
fn readable(error: &evalexpr::EvalexprError) -> String {
    use evalexpr::EvalexprError as Error;
    match error {
        Error::UnmatchedLBrace => "a ( is not closed",
        Error::UnmatchedRBrace => "a ) closes nothing",
        Error::MissingOperatorOutsideOfBrace | Error::AppendedToLeafNode => {
            "two values stand side by side with nothing between them"
        }
        _ => "it is no expression",
    }
    .to_owned()
}
