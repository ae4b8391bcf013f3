//! `split python`.

use std::io::{self, Write};

use super::Done;
use super::failure::printed;
use crate::checkpoint::PYTHON;

pub(super) fn python() -> Done {
    printed(io::stdout().lock().write_all(PYTHON.as_bytes()))
}
