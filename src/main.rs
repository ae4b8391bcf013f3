//! The command `split`: hands over to the library.

/// Hundreds of thousands of partials are read side by side; glibc's allocator asks the kernel for every page of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    split::cli::main()
}
