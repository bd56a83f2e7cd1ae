// The floor that hook_bench measures against: what any process costs before and after its work.
int main() { return 0; }
