//! The command `split` under a name of its own, for where coreutils' must not be shadowed: hands over to the library.

/// As in `split` itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    split::cli::main()
}
