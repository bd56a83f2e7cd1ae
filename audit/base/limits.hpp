#pragma once
// Every bound of the product, in one place. Units are in the names; reaching a bound is an error or
// a deny, never a silent cut.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace lilith::limits {

// Events (design: one line at most 32 KiB, one value at most 8 KiB; Wazuh cuts at 65,279 bytes and
// Lucene refuses terms of more than 32,766).
inline constexpr std::size_t kEventLineBytesMax = std::size_t{32} * 1024;
inline constexpr std::size_t kEventValueBytesMax = std::size_t{8} * 1024;
inline constexpr std::size_t kEventPathsMax = 16;
inline constexpr std::size_t kEventFactPathsMax = 32;
// A reader accepts longer lines than the writer makes (unknown future fields), up to this.
inline constexpr std::size_t kReaderLineBytesMax = std::size_t{1024} * 1024;
// What a reader asks the kernel or a decompressor for at once.
inline constexpr std::size_t kReaderChunkBytes = std::size_t{256} * 1024;
// 2^27 bytes: what `zstd --ultra -22` and zstd's own default allow.
inline constexpr int kReaderZstdWindowLogMax = 27;

// `lilith verify`: hashes of recent lines kept to tell a copy from a fork (8 bytes each, over all
// chains), ranges of missing seq that may still turn up later, and chains in one input. Beyond them
// a finding says less, never nothing.
inline constexpr std::size_t kVerifyWindowLinesMax = std::size_t{4} * 1024 * 1024;
inline constexpr std::size_t kVerifyGapsMax = 4096;
inline constexpr std::size_t kVerifyDamagedMax = 4096;
inline constexpr std::size_t kVerifyBranchesMax = 8;
inline constexpr std::size_t kVerifyChainsMax = 65'536;

// `lilith verify --arrived`: chains and hosts in one input; unbroken stretches of all chains (about
// 100 bytes each); ranges of one fault in one chain; hashes that a chain keeps to compare repeats
// with (16 bytes each): of its latest events, and of one of every so many of the older ones; sinks
// of a host that are remembered to have kept events back.
inline constexpr std::size_t kArrivalChainsMax = std::size_t{1024} * 1024;
inline constexpr std::size_t kArrivalRunsMax = std::size_t{2} * 1024 * 1024;
inline constexpr std::size_t kArrivalWithheldRangesMax = std::size_t{2} * 1024 * 1024;
inline constexpr std::size_t kArrivalRangesMax = 4096;
inline constexpr std::size_t kArrivalRecentHashes = 32;
inline constexpr std::size_t kArrivalSparseHashesMax = 32;
inline constexpr std::size_t kArrivalSinksMax = 64;
inline constexpr std::size_t kArrivalFollowFindingsMax = 65'536;                     // open at once
inline constexpr std::size_t kArrivalHostsBytesMax = std::size_t{64} * 1024 * 1024;  // of --hosts

// Hook input. 64 MiB on stdin is refused after this many bytes without reading on.
inline constexpr std::size_t kHookInputBytesMax = std::size_t{8} * 1024 * 1024;
// The hook's own deadline; the agents' are 10 s and more, and each of them lets the tool run when
// it passes.
inline constexpr std::chrono::milliseconds kHookDeadline{1500};
inline constexpr std::chrono::milliseconds kLogLockTimeout{1000};

// Paths or URLs that one call may name.
inline constexpr std::size_t kCallTargetsMax = 1024;
// A reason on its way to the agent and its person.
inline constexpr std::size_t kVerdictReasonBytesMax = 2048;
// The bounds of `lilith hook --deadline`: below, no hook would finish; above, agents give up first.
inline constexpr std::chrono::milliseconds kHookDeadlineMin{100};
inline constexpr std::chrono::milliseconds kHookDeadlineMax{8000};
// Kept back from the deadline for what comes after the wait for input, and after that for the lock.
inline constexpr std::chrono::milliseconds kHookInputReserve{500};
inline constexpr std::chrono::milliseconds kHookLockReserve{150};
// What the spool of incidents may hold, and how many of them one hook reports on its way.
inline constexpr std::size_t kIncidentSpoolBytesMax = std::size_t{16} * 1024 * 1024;
inline constexpr std::size_t kIncidentsPerHookMax = 16;
// Ancestors looked at for the agent's process.
inline constexpr int kAncestorsMax = 32;

// MCP proxy. A message of the client is held whole while it is decided; a server's answer only
// while an answer to tools/list is awaited, else it streams through.
inline constexpr std::size_t kMcpFrameBytesMax = std::size_t{16} * 1024 * 1024;
inline constexpr std::size_t kMcpHeldBytesMax = std::size_t{16} * 1024 * 1024;
// Bytes waiting for a slow reader before the other side is no longer read.
inline constexpr std::size_t kMcpQueueBytesMax = std::size_t{1024} * 1024;
inline constexpr std::size_t kMcpListsPendingMax = 1024;
inline constexpr std::size_t kMcpServerNameBytesMax = 64;
inline constexpr std::size_t kMcpPinsMax = 4096;
inline constexpr std::size_t kMcpPinsBytesMax = std::size_t{4} * 1024 * 1024;
// Between end of input, SIGTERM and SIGKILL for a server that stays.
inline constexpr std::chrono::milliseconds kMcpExitGrace{5000};
// MCP over HTTP. A message from the server is held up to this, and streams through when longer.
inline constexpr std::size_t kMcpHttpHeldBytesMax = std::size_t{256} * 1024;
inline constexpr std::size_t kMcpSseValueBytesMax = 1024;  // of an event's id, type, retry
inline constexpr std::size_t kMcpHttpSessionIdBytesMax = 1024;
inline constexpr std::size_t kMcpSseEndpointBytesMax = 8192;  // of the URL that messages go to
inline constexpr std::size_t kMcpHttpHeadersMax = 64;         // of --header
inline constexpr std::size_t kMcpHttpHeaderBytesMax = std::size_t{64} * 1024;
// Requests that wait for their answers; one more is answered with an error.
inline constexpr std::size_t kMcpHttpRequestsMax = 64;
inline constexpr std::chrono::milliseconds kMcpHttpConnectDeadline{15'000};
// A notification or an answer is only acknowledged; a request may take as long as the client waits.
inline constexpr std::chrono::milliseconds kMcpHttpNoticeDeadline{30'000};
inline constexpr std::chrono::milliseconds kMcpHttpGoodbyeDeadline{2000};
// Until the stream of an HTTP+SSE server says where messages go.
inline constexpr std::chrono::milliseconds kMcpSseEndpointDeadline{15'000};
// Between two tries to take up a stream again: what the server asks for, within these.
inline constexpr std::chrono::milliseconds kMcpHttpRetryMin{50};
inline constexpr std::chrono::milliseconds kMcpHttpRetryDefault{1000};
inline constexpr std::chrono::milliseconds kMcpHttpRetryMax{30'000};
inline constexpr int kMcpHttpResumesMax = 5;  // in a row without a stream

// Egress proxy.
inline constexpr std::size_t kProxyHeadBytesMax = std::size_t{16} * 1024;
inline constexpr std::size_t kProxyHelloBytesMax = std::size_t{64} * 1024;
// What one direction of a tunnel may hold for a slow reader.
inline constexpr std::size_t kProxyRelayBytes = std::size_t{128} * 1024;
inline constexpr std::size_t kProxyConnectionsMax = 20'000;
// Connections that have not said yet what they want; beyond it the oldest of them goes.
inline constexpr std::size_t kProxyHeadsMax = 1024;
inline constexpr std::size_t kProxyAddressesMax = 16;  // of one name
inline constexpr std::chrono::milliseconds kProxyHeadDeadline{10'000};
inline constexpr std::chrono::milliseconds kProxyDecideDeadline{20'000};
inline constexpr std::chrono::milliseconds kProxyDialDeadline{10'000};  // of one address
inline constexpr std::chrono::milliseconds kProxyHelloDeadline{10'000};
inline constexpr std::chrono::milliseconds kProxyIdleDeadline{3'600'000};

// JSON nesting accepted from agents and logs.
inline constexpr std::size_t kJsonDepthMax = 64;

// Policy file.
inline constexpr std::size_t kPolicyBytesMax = std::size_t{4} * 1024 * 1024;
inline constexpr std::size_t kPolicyNodesMax = 200'000;
inline constexpr std::size_t kPolicyAliasNodesMax = 10'000;
// Its tree, compiled: the same texts, and aliases written out.
inline constexpr std::size_t kCompiledPolicyBytesMax = std::size_t{16} * 1024 * 1024;

// Shell lines: above either bound the reader answers "undecidable".
inline constexpr std::size_t kShellInputBytesMax = std::size_t{64} * 1024;
inline constexpr std::size_t kShellStepsMax = 2'000'000;
inline constexpr std::size_t kShellDepthMax = 64;
// Loops over words that stand in the line: values of one, readings of bodies in the line, and
// commands and paths that such readings may give. Above them the loop's variable is not known.
inline constexpr std::size_t kShellLoopValuesMax = 32;
inline constexpr std::size_t kShellLoopReadingsMax = 256;
inline constexpr std::size_t kShellLoopCommandsMax = 2048;
inline constexpr std::size_t kShellLoopPathsMax = 16'384;

// Paths.
inline constexpr std::size_t kPathBytesMax = 4096;
inline constexpr int kSymlinkHopsMax = 40;

// Hosts (RFC 1035 section 2.3.4).
inline constexpr std::size_t kHostBytesMax = 253;
inline constexpr std::size_t kHostLabelBytesMax = 63;

// Log rotation: Wazuh's logcollector looks every 64 s and loses the middle file of two faster ones.
inline constexpr std::uint64_t kRotateBytesDefault = std::uint64_t{64} * 1024 * 1024;
inline constexpr std::chrono::seconds kRotateIntervalMin{120};
// What a log keeps of its quota and of the least free bytes for its last word (log_full) and what
// its own repair may add; and what a file system keeps free by default.
inline constexpr std::uint64_t kLogReserveBytes = std::uint64_t{128} * 1024;
inline constexpr std::uint64_t kLogFreeBytesMin = std::uint64_t{1024} * 1024;
// A sink's checkpoint, as the shipper writes it.
inline constexpr std::size_t kCheckpointBytesMax = std::size_t{1024} * 1024;
// Policy files of which a log remembers what they last were; beyond them the one that was heard of
// first is announced again.
inline constexpr std::size_t kLogPoliciesMax = 16;
// A sealed log's checkpoints: at least as often as this by default, and what a policy may ask for.
// 1,024 events of 1.2 KB to one checkpoint of 1.0 KB keep them below 0.1 % of a busy log; eight
// hours end the tail of a quiet one on the same day.
inline constexpr std::uint64_t kSealEventsDefault = 1024, kSealEventsMax = 1'000'000;
inline constexpr std::chrono::seconds kSealAgeDefault{8 * 3600}, kSealAgeMax{30 * 24 * 3600};
// Verifying them: checkpoints that arrived before one they follow, and latest ones remembered to
// tell a copy from a fork, by key; findings. Keys in a file, and its size.
inline constexpr std::size_t kVerifySealsWaitingMax = 4096;
inline constexpr std::size_t kVerifySealsRememberedMax = 4096;
inline constexpr std::size_t kVerifySealFindingsMax = 4096;
inline constexpr std::size_t kVerifyKeyFileBytesMax = std::size_t{64} * 1024 * 1024;
// A clock that was put back by less than this between two checkpoints is one that was corrected.
inline constexpr std::chrono::seconds kSealClockBackMax{60};
// How far back a writer looks for the last event in a log whose end is no event of ours.
inline constexpr std::size_t kTailSearchBytesMax = std::size_t{1024} * 1024;

// egress_burst, in agreement with rule 100802 of wazuh/lilith_rules.xml; and processes counted at
// once.
inline constexpr std::size_t kBurstDenials = 5;
inline constexpr std::chrono::seconds kBurstSpan{60};
inline constexpr std::size_t kBurstProcessesMax = 10'000;

// Replay with `--alerts`: text of lines kept for rules that look at whole lines.
inline constexpr std::size_t kForecastTextBytesMax = std::size_t{1} << 30U;
// Replay: calls that one thread remembers to have decided (16 bytes each); beyond them it decides
// some again.
inline constexpr std::size_t kReplayExaminerCallsMax = std::size_t{1024} * 1024;
inline constexpr std::size_t kReplayThreadsMax = 64;
// Lines that one thread takes at a time: few enough that what is said of them, and they, are still
// in a processor's second cache when they are counted.
inline constexpr std::size_t kReplayChunkBytes = std::size_t{96} * 1024;
// A host whose last event is older than the newest call of all by more than this is named as
// silent.
inline constexpr std::chrono::hours kReplaySilentHost{72};
// `lilith replay run --kafka`: events that one consumer counts before it writes the largest of its
// ranges, over all its partitions.
inline constexpr std::size_t kReplayGroupEventsMax = std::size_t{512} * 1024;
// A summary file of `lilith replay run --summary`.
inline constexpr std::size_t kReplaySummaryBytesMax = std::size_t{1024} * 1024 * 1024;
// An agent's history file that is one JSON document, read whole by `lilith import`.
inline constexpr std::size_t kHistoryFileBytesMax = std::size_t{256} * 1024 * 1024;

// An agent's own settings file, and what `lilith inventory` names of one machine.
inline constexpr std::size_t kSettingsBytesMax = std::size_t{16} * 1024 * 1024;
inline constexpr std::size_t kInventoryUsersMax = 4096;
inline constexpr std::size_t kInventoryServersMax = 10'000;
// How long `lilith doctor` waits for a hook that it tries: the time that agents are told to wait.
inline constexpr std::chrono::milliseconds kDoctorCanaryDeadline{10'000};

}  // namespace lilith::limits
