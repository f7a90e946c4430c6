// The protocol of Backchannel's app server. Generated: backchannel app-server generate-ts --out DIR

export type RequestId = string | number;
/** Any JSON. */
export type JsonValue = unknown;

/** Commands that begin like this need no asking any more. */
export type AcceptWithExecpolicyAmendment = {
  execpolicy_amendment: Array<string>;
};

export type Account = ApiKeyAccount | ChatgptAccount | AmazonBedrockAccount | GcpAccount;

/** A login has succeeded or failed. */
export type AccountLoginCompletedNotification = {
  loginId: string | null;
  success: boolean;
  error: string | null;
  onboardingEntrypoint: "life_sciences" | null;
};

/** How one is logged in has changed. */
export type AccountUpdatedNotification = {
  authMode: "agentIdentity" | "apikey" | "bedrockAccessKeys" | "bedrockApiKey" | "chatgpt" | "chatgptAuthTokens" | "headers" | "personalAccessToken" | null;
  planType: string | null;
};

/** The named permissions that a thread runs with. */
export type ActivePermissionProfile = {
  id: string;
  extends: string | null;
};

/** A turn runs. */
export type ActiveStatus = {
  type: "active";
  activeFlags: Array<"waitingOnApproval" | "waitingOnUserInput">;
};

/** A piece of what the agent says. */
export type AgentMessageDeltaNotification = {
  threadId: string;
  turnId: string;
  itemId: string;
  delta: string;
};

/** The agent says something. */
export type AgentMessageItem = {
  type: "agentMessage";
  startedAtMs: number | null;
  completedAtMs: number | null;
  id: string;
  text: string;
  phase: "commentary" | "final_answer" | "partial_answer" | null;
  moderation: JsonValue;
  memoryCitation: JsonValue;
  delivery: "async" | null;
  questions: Array<JsonValue> | null;
};

/** Logged in to another cloud. */
export type AmazonBedrockAccount = {
  type: "amazonBedrock";
  usesCodexManagedCredentials: boolean;
};

/** Logged in with a key. */
export type ApiKeyAccount = {
  type: "apiKey";
};

/** The key was kept; the rest is told by `account/login/completed`. */
export type ApiKeyLoggedIn = {
  type: "apiKey";
};

/** Log in with a key. */
export type ApiKeyLogin = {
  type: "apiKey";
  apiKey: string;
};

/** A rule about a host is kept. */
export type ApplyNetworkPolicyAmendment = {
  network_policy_amendment: NetworkPolicyAmendment;
};

export type AskForApproval = "never" | "on-request" | "untrusted" | GranularApproval;

/** Sound at an address, or sound that was uploaded before. */
export type AudioInput = {
  type: "audio";
  url?: string;
  fileId?: string;
};

/** Log in with a pair of keys of another cloud. Not supported by this server. */
export type BedrockAccessKeysLogin = {
  type: "amazonBedrockAccessKeys";
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | null;
  region: string;
};

/** Log in with a key of another cloud. Not supported by this server. */
export type BedrockLogin = {
  type: "amazonBedrock";
  apiKey: string;
  region: string;
};

/** Here an item of the agent was shown. */
export type BemItemPromoted = {
  type: "bemItemPromoted";
  id: string;
  realtimeSessionId: string;
  turn_id: string;
  item_id: string;
  presentation: ThreadRealtimeBemItemPresentation;
};

/** A part of a text, in bytes of UTF-8. */
export type ByteRange = {
  start: number;
  end: number;
};

/** Logged in as a person. */
export type ChatgptAccount = {
  type: "chatgpt";
  email: string | null;
  planType: string;
  workspaceName: string | null;
};

/** Log in with tokens that the client has. Not supported by this server. */
export type ChatgptAuthTokensLogin = {
  type: "chatgptAuthTokens";
  accessToken: string;
  chatgptAccountId: string;
  chatgptPlanType?: string | null;
};

/** Log in on another device. Not supported by this server. */
export type ChatgptDeviceCodeLogin = {
  type: "chatgptDeviceCode";
};

/** Log in through a browser. Not supported by this server. */
export type ChatgptLogin = {
  type: "chatgpt";
  codexStreamlinedLogin?: boolean;
  useHostedLoginSuccessPage?: boolean;
  appBrand?: "chatgpt" | "codex" | null;
};

/** Who the client is. */
export type ClientInfo = {
  name: string;
  title?: string | null;
  version: string;
};

/** A sort of error that has more to say than its name. */
export type CodexErrorDetail = {
  httpConnectionFailed?: HttpFailure;
  responseStreamConnectionFailed?: HttpFailure;
  responseStreamDisconnected?: HttpFailure;
  responseTooManyFailedAttempts?: HttpFailure;
  activeTurnNotSteerable?: NotSteerable;
};

export type CodexErrorInfo = "badRequest" | "contextWindowExceeded" | "cyberPolicy" | "flexUnavailable" | "inferenceHookDenied" | "internalServerError" | "misalignmentPolicyViolation" | "modelNotFound" | "other" | "policyCapacityUnavailable" | "rateLimitExceeded" | "sandboxError" | "serverOverloaded" | "sessionBudgetExceeded" | "threadRollbackFailed" | "tooManyDenials" | "unauthorized" | "usageLimitExceeded" | CodexErrorDetail;

export type CommandAction = ReadAction | ListFilesAction | SearchAction | UnknownAction;

export type CommandExecutionApprovalDecision = "accept" | "acceptForSession" | "cancel" | "decline" | DecisionDetail;

/** The agent runs a command. */
export type CommandExecutionItem = {
  type: "commandExecution";
  startedAtMs: number | null;
  completedAtMs: number | null;
  id: string;
  command: string;
  cwd: string;
  processId: string | null;
  source: "agent" | "unifiedExecInteraction" | "unifiedExecStartup" | "userShell";
  status: "completed" | "declined" | "failed" | "inProgress";
  commandActions: Array<CommandAction>;
  aggregatedOutput: string | null;
  exitCode: number | null;
  durationMs: number | null;
  pluginId: string | null;
  scriptPath: string | null;
};

/** A piece of what a command prints. */
export type CommandExecutionOutputDeltaNotification = {
  threadId: string;
  turnId: string;
  itemId: string;
  delta: string;
};

/** May the agent run this command? */
export type CommandExecutionRequestApprovalParams = {
  kind: "command" | "humanCommand" | "writeStdin";
  threadId: string;
  turnId: string;
  itemId: string;
  startedAtMs: number;
  approvalId?: string | null;
  environmentId: string | null;
  reason?: string | null;
  networkApprovalContext?: NetworkApprovalContext | null;
  command?: string | null;
  cwd?: string | null;
  commandActions?: Array<CommandAction> | null;
  additionalPermissions?: JsonValue;
  proposedExecpolicyAmendment?: Array<string> | null;
  proposedNetworkPolicyAmendments?: Array<NetworkPolicyAmendment> | null;
  availableDecisions?: Array<CommandExecutionApprovalDecision> | null;
};

/** What the user says to a command. */
export type CommandExecutionRequestApprovalResponse = {
  decision: CommandExecutionApprovalDecision;
};

/** What was said before was summed up. */
export type ContextCompactionItem = {
  type: "contextCompaction";
  startedAtMs: number | null;
  completedAtMs: number | null;
  id: string;
};

/** Instructions of one's own on when other agents are employed. */
export type CustomMode = {
  custom: string;
};

/** Commands may do everything. */
export type DangerFullAccess = {
  type: "dangerFullAccess";
};

/** A decision that has more to say than its name. */
export type DecisionDetail = {
  acceptWithExecpolicyAmendment?: AcceptWithExecpolicyAmendment;
  applyNetworkPolicyAmendment?: ApplyNetworkPolicyAmendment;
};

/** Nothing to say: it was taken. */
export type Empty = Record<string, never>;

/** Something went wrong in a turn. */
export type ErrorNotification = {
  error: TurnError;
  willRetry: boolean;
  threadId: string;
  turnId: string;
};

/** The client has a call already. */
export type ExistingCallTransport = {
  type: "existingCall";
  callId: string;
};

/** A feature that can be switched. */
export type ExperimentalFeature = {
  name: string;
  stage: "beta" | "deprecated" | "removed" | "stable" | "underDevelopment";
  displayName: string | null;
  description: string | null;
  announcement: string | null;
  enabled: boolean;
  defaultEnabled: boolean;
};

/** Ask which features there are. */
export type ExperimentalFeatureListParams = {
  cursor?: string | null;
  limit?: number | null;
  threadId?: string | null;
};

/** A page of features. */
export type ExperimentalFeatureListResponse = {
  data: Array<ExperimentalFeature>;
  nextCursor: string | null;
};

/** Something outside confines the whole program. */
export type ExternalSandbox = {
  type: "externalSandbox";
  networkAccess: "enabled" | "restricted";
};

/** The agent changes files. */
export type FileChangeItem = {
  type: "fileChange";
  startedAtMs: number | null;
  completedAtMs: number | null;
  id: string;
  changes: Array<FileUpdateChange>;
  status: "completed" | "declined" | "failed" | "inProgress";
};

/** May the agent change these files? */
export type FileChangeRequestApprovalParams = {
  threadId: string;
  turnId: string;
  itemId: string;
  startedAtMs: number;
  reason?: string | null;
  grantRoot?: string | null;
};

/** What the user says to a change. */
export type FileChangeRequestApprovalResponse = {
  decision: "accept" | "acceptForSession" | "cancel" | "decline";
};

/** What becomes of one file. */
export type FileUpdateChange = {
  path: string;
  kind: PatchChangeKind;
  diff: string;
};

/** Logged in to another cloud. */
export type GcpAccount = {
  type: "gcp";
};

/** Ask who is logged in. */
export type GetAccountParams = {
  refreshToken?: boolean;
};

/** Who is logged in, and whether anybody has to be. */
export type GetAccountResponse = {
  account: Account | null;
  userId: string | null;
  requiresOpenaiAuth: boolean;
  workspaceRouting: JsonValue;
};

/** The state of the repository when the thread began. */
export type GitInfo = {
  sha: string | null;
  branch: string | null;
  originUrl: string | null;
};

/** When the user is asked, for each sort of request. */
export type GranularApproval = {
  granular: GranularRules;
};

/** Which sorts of requests are put to the user; the others are declined. */
export type GranularRules = {
  sandbox_approval: boolean;
  rules: boolean;
  skill_approval: boolean;
  request_permissions: boolean;
  mcp_elicitations: boolean;
};

/** What the server of the model answered, where it did. */
export type HttpFailure = {
  httpStatusCode: number | null;
};

/** The thread waits for something to do. */
export type IdleStatus = {
  type: "idle";
};

/** An image at an address, or one that was uploaded before. */
export type ImageInput = {
  type: "image";
  url?: string;
  fileId?: string;
  detail: "auto" | "high" | "low" | "original" | null;
};

/** What the client understands. */
export type InitializeCapabilities = {
  experimentalApi?: boolean;
  optOutNotificationMethods?: Array<string> | null;
  backchannel?: boolean;
  requestAttestation?: boolean;
  explicitGatewayOauth?: boolean;
  requiredHumanApproval?: boolean;
  mcpServerOpenaiFormElicitation?: boolean;
  extensions?: { [key in string]?: JsonValue } | null;
};

/** Begin. Nothing else is answered before. */
export type InitializeParams = {
  clientInfo: ClientInfo;
  capabilities?: InitializeCapabilities | null;
};

/** Who the server is. */
export type InitializeResponse = {
  userAgent: string;
  codexHome: string;
  platformFamily: string;
  platformOs: string;
};

/** Shown as text. */
export type InlineMarkdown = {
  type: "inlineMarkdown";
};

/** One of its pictures is shown. */
export type InlineVisualization = {
  type: "inlineVisualization";
  index: number;
};

/** An item of a turn is complete. */
export type ItemCompletedNotification = {
  item: ThreadItem;
  threadId: string;
  turnId: string;
  contentTokenCount: number | null;
  completedAtMs: number;
};

/** An item of a turn begins. */
export type ItemStartedNotification = {
  item: ThreadItem;
  threadId: string;
  turnId: string;
  startedAtMs: number;
};

/** A command lists files. */
export type ListFilesAction = {
  type: "listFiles";
  command: string;
  path: string | null;
};

/** Sound in a file. */
export type LocalAudioInput = {
  type: "localAudio";
  path: string;
};

/** An image in a file. */
export type LocalImageInput = {
  type: "localImage";
  path: string;
  detail: "auto" | "high" | "low" | "original" | null;
};

export type LoginAccountParams = ApiKeyLogin | ChatgptLogin | ChatgptDeviceCodeLogin | ChatgptAuthTokensLogin | BedrockLogin | BedrockAccessKeysLogin;

/** Forget the login. The parameters may be left out. */
export type LogoutAccountParams = Record<string, never>;

/** Why a tool gave nothing back. */
export type McpToolCallError = {
  message: string;
};

/** The agent calls a tool. */
export type McpToolCallItem = {
  type: "mcpToolCall";
  startedAtMs: number | null;
  completedAtMs: number | null;
  id: string;
  server: string;
  tool: string;
  status: "completed" | "failed" | "inProgress";
  arguments: JsonValue;
  appContext: JsonValue;
  mcpAppResourceUri?: string | null;
  mcpAppUi: JsonValue;
  pluginId: string | null;
  readOnlyHint: boolean | null;
  result: McpToolCallResult | null;
  error: McpToolCallError | null;
  durationMs: number | null;
};

/** What a tool gave back. */
export type McpToolCallResult = {
  content: Array<JsonValue>;
  structuredContent: JsonValue;
  _meta: JsonValue;
};

/** Something that the text mentions. */
export type MentionInput = {
  type: "mention";
  name: string;
  path: string;
};

/** Why the model's provider blocked a turn. */
export type MisalignmentErrorDetails = {
  errorType: string | null;
  detailedExplanation: string | null;
  steer: MisalignmentSteer | null;
  reviewTarget?: string | null;
};

/** What may be said to go on after a block. */
export type MisalignmentSteer = {
  message: string;
};

/** A model. */
export type Model = {
  id: string;
  model: string;
  upgrade: string | null;
  upgradeInfo: ModelUpgradeInfo | null;
  availabilityNux: ModelAvailabilityNux | null;
  displayName: string;
  description: string;
  modelSpecialty: string | null;
  hidden: boolean;
  supportedReasoningEfforts: Array<ReasoningEffortOption>;
  defaultReasoningEffort: string;
  inputModalities: Array<"audio" | "image" | "text">;
  supportsPersonality: boolean;
  multiAgentVersion: "disabled" | "v1" | "v2" | null;
  additionalSpeedTiers: Array<string>;
  serviceTiers: Array<ModelServiceTier>;
  defaultServiceTier: string | null;
  availableAccessPrograms: JsonValue;
  isDefault: boolean;
};

/** What a person is told about a new model. */
export type ModelAvailabilityNux = {
  message: string;
};

/** Ask for the models of the background agent. */
export type ModelListParams = {
  modelProvider?: string | null;
  cursor?: string | null;
  limit?: number | null;
  includeHidden?: boolean | null;
};

/** A page of models. */
export type ModelListResponse = {
  data: Array<Model>;
  nextCursor: string | null;
};

/** How fast a model can be had. */
export type ModelServiceTier = {
  id: string;
  name: string;
  description: string;
};

/** The model that takes another one's place. */
export type ModelUpgradeInfo = {
  model: string;
  upgradeCopy: string | null;
  modelLink: string | null;
  migrationMarkdown: string | null;
  retirementAt: number | null;
};

export type MultiAgentMode = "explicitRequestOnly" | "proactive" | CustomMode;

/** Where a command wants to connect to. */
export type NetworkApprovalContext = {
  host: string;
  protocol: "http" | "https" | "socks5Tcp" | "socks5Udp";
};

/** A rule about a host. */
export type NetworkPolicyAmendment = {
  host: string;
  action: "allow" | "deny";
};

/** The thread is only in the store. */
export type NotLoadedStatus = {
  type: "notLoaded";
};

/** The turn that runs takes no further input. */
export type NotSteerable = {
  turnKind: "compact" | "review";
};

/** A file is made. */
export type PatchAdd = {
  type: "add";
};

export type PatchChangeKind = PatchAdd | PatchDelete | PatchUpdate;

/** A file is deleted. */
export type PatchDelete = {
  type: "delete";
};

/** A file is changed, and perhaps moved. */
export type PatchUpdate = {
  type: "update";
  move_path: string | null;
};

/** The agent's plan. */
export type PlanItem = {
  type: "plan";
  startedAtMs: number | null;
  completedAtMs: number | null;
  id: string;
  text: string;
};

/** A command reads a file. */
export type ReadAction = {
  type: "read";
  command: string;
  name: string;
  path: string;
};

/** Commands may read. */
export type ReadOnly = {
  type: "readOnly";
  networkAccess: boolean;
};

/** Here the conversation was over. */
export type RealtimeSessionClosed = {
  type: "realtimeSessionClosed";
  id: string;
  realtimeSessionId: string;
  outcome: "ended" | "failed";
};

/** Here the conversation began. */
export type RealtimeSessionStarted = {
  type: "realtimeSessionStarted";
  id: string;
  realtimeSessionId: string;
};

/** The voices of each version, in the order in which they are shown. */
export type RealtimeVoicesList = {
  v1: Array<"alloy" | "arbor" | "ash" | "aube" | "ballad" | "breeze" | "bubbie" | "cedar" | "coral" | "cove" | "echo" | "ember" | "haetsal" | "hanul" | "himari" | "juniper" | "leher" | "maple" | "marin" | "miko" | "neer" | "porto" | "rindo" | "rio" | "rivage" | "sage" | "selva" | "shimmer" | "sol" | "sonna" | "spruce" | "tinta" | "vale" | "verse" | "viola">;
  v2: Array<"alloy" | "arbor" | "ash" | "aube" | "ballad" | "breeze" | "bubbie" | "cedar" | "coral" | "cove" | "echo" | "ember" | "haetsal" | "hanul" | "himari" | "juniper" | "leher" | "maple" | "marin" | "miko" | "neer" | "porto" | "rindo" | "rio" | "rivage" | "sage" | "selva" | "shimmer" | "sol" | "sonna" | "spruce" | "tinta" | "vale" | "verse" | "viola">;
  v3?: Array<"alloy" | "arbor" | "ash" | "aube" | "ballad" | "breeze" | "bubbie" | "cedar" | "coral" | "cove" | "echo" | "ember" | "haetsal" | "hanul" | "himari" | "juniper" | "leher" | "maple" | "marin" | "miko" | "neer" | "porto" | "rindo" | "rio" | "rivage" | "sage" | "selva" | "shimmer" | "sol" | "sonna" | "spruce" | "tinta" | "vale" | "verse" | "viola">;
  defaultV1: "alloy" | "arbor" | "ash" | "aube" | "ballad" | "breeze" | "bubbie" | "cedar" | "coral" | "cove" | "echo" | "ember" | "haetsal" | "hanul" | "himari" | "juniper" | "leher" | "maple" | "marin" | "miko" | "neer" | "porto" | "rindo" | "rio" | "rivage" | "sage" | "selva" | "shimmer" | "sol" | "sonna" | "spruce" | "tinta" | "vale" | "verse" | "viola";
  defaultV2: "alloy" | "arbor" | "ash" | "aube" | "ballad" | "breeze" | "bubbie" | "cedar" | "coral" | "cove" | "echo" | "ember" | "haetsal" | "hanul" | "himari" | "juniper" | "leher" | "maple" | "marin" | "miko" | "neer" | "porto" | "rindo" | "rio" | "rivage" | "sage" | "selva" | "shimmer" | "sol" | "sonna" | "spruce" | "tinta" | "vale" | "verse" | "viola";
};

/** How hard a model can think. */
export type ReasoningEffortOption = {
  reasoningEffort: string;
  description: string;
};

/** What the agent thinks. */
export type ReasoningItem = {
  type: "reasoning";
  startedAtMs: number | null;
  completedAtMs: number | null;
  id: string;
  summary: Array<string>;
  content: Array<string>;
};

/** Another part of what the agent tells of its thoughts begins. */
export type ReasoningSummaryPartAddedNotification = {
  threadId: string;
  turnId: string;
  itemId: string;
  summaryIndex: number;
};

/** A piece of what the agent tells of its thoughts. */
export type ReasoningSummaryTextDeltaNotification = {
  threadId: string;
  turnId: string;
  itemId: string;
  summaryIndex: number;
  delta: string;
};

export type SandboxPolicy = DangerFullAccess | ReadOnly | ExternalSandbox | WorkspaceWrite;

/** A command searches. */
export type SearchAction = {
  type: "search";
  command: string;
  query: string | null;
  path: string | null;
};

/** A request needs no answer any more: there is one, or the turn is over. */
export type ServerRequestResolvedNotification = {
  threadId: string;
  requestId: number | string;
};

export type SessionSource = "appServer" | "cli" | "exec" | "unknown" | "vscode" | SourceDetail;

/** A skill that the agent shall use. */
export type SkillInput = {
  type: "skill";
  name: string;
  path: string;
};

/** A client that has a name of its own, or another agent. */
export type SourceDetail = {
  custom?: string;
  subAgent?: JsonValue;
};

/** Something went wrong that was not the agent's work. */
export type SystemErrorStatus = {
  type: "systemError";
};

/** A part of a text that a screen shows in its own way. */
export type TextElement = {
  byteRange: ByteRange;
  placeholder: string | null;
};

/** Text. */
export type TextInput = {
  type: "text";
  text: string;
  text_elements: Array<TextElement>;
};

/** A thread. */
export type Thread = {
  id: string;
  environments: Array<JsonValue> | null;
  extra: JsonValue;
  sessionId: string;
  forkedFromId: string | null;
  attachedToThreadId: string | null;
  parentThreadId: string | null;
  preview: string;
  ephemeral: boolean;
  section: JsonValue;
  sectionEnteredAt: number | null;
  projectId: string | null;
  historyMode: "legacy" | "paginated";
  modelProvider: string;
  model: string | null;
  reasoningEffort: string | null;
  createdAt: number;
  updatedAt: number;
  recencyAt: number | null;
  status: ThreadStatus;
  path: string | null;
  cwd: string;
  cliVersion: string;
  originator: string | null;
  source: SessionSource;
  canAcceptDirectInput: boolean | null;
  threadSource: string | null;
  agentNickname: string | null;
  agentRole: string | null;
  gitInfo: GitInfo | null;
  name: string | null;
  daybreakEnabled: boolean | null;
  turns: Array<Turn>;
};

/** Put a thread away: its conversation and its turn end, and it is not loaded any more. */
export type ThreadArchiveParams = {
  threadId: string;
};

/** A thread was put away. */
export type ThreadArchivedNotification = {
  threadId: string;
};

/** A thread is no longer loaded. */
export type ThreadClosedNotification = {
  threadId: string;
};

/** Begin a thread that has the beginning of another one. */
export type ThreadForkParams = {
  threadId: string;
  experimentalPredictionMode?: boolean;
  experimentalDisablePredictionMcp?: boolean;
  lastTurnId?: string | null;
  beforeTurnId?: string | null;
  path?: string | null;
  model?: string | null;
  modelProvider?: string | null;
  serviceTier?: string | null;
  cwd?: string | null;
  runtimeWorkspaceRoots?: Array<string> | null;
  approvalPolicy?: AskForApproval | null;
  approvalsReviewer?: "auto_review" | "guardian_subagent" | "user" | null;
  sandbox?: "danger-full-access" | "read-only" | "workspace-write" | null;
  permissions?: string | null;
  config?: { [key in string]?: JsonValue } | null;
  baseInstructions?: string | null;
  developerInstructions?: string | null;
  ephemeral?: boolean;
  attachToSource?: boolean;
  threadSource?: string | null;
  excludeTurns?: boolean;
  deferGoalContinuation?: boolean;
};

/** The new thread, and what it runs with. */
export type ThreadForkResponse = {
  thread: Thread;
  model: string;
  modelProvider: string;
  serviceTier: string | null;
  disabledPluginIds: Array<string>;
  cwd: string;
  runtimeWorkspaceRoots: Array<string>;
  instructionSources: Array<string>;
  approvalPolicy: AskForApproval;
  approvalsReviewer: "auto_review" | "guardian_subagent" | "user";
  sandbox: SandboxPolicy;
  activePermissionProfile: ActivePermissionProfile | null;
  reasoningEffort: string | null;
  multiAgentMode: MultiAgentMode;
};

export type ThreadItem = UserMessageItem | AgentMessageItem | PlanItem | ReasoningItem | CommandExecutionItem | FileChangeItem | McpToolCallItem | WebSearchItem | ContextCompactionItem;

/** Look for threads. */
export type ThreadListParams = {
  cursor?: string | null;
  limit?: number | null;
  sortKey?: "created_at" | "recency_at" | "section_position" | "updated_at" | null;
  sortDirection?: "asc" | "desc" | null;
  modelProviders?: Array<string> | null;
  sourceKinds?: Array<"appServer" | "cli" | "exec" | "subAgent" | "subAgentCompact" | "subAgentOther" | "subAgentReview" | "subAgentThreadSpawn" | "unknown" | "vscode"> | null;
  originators?: Array<string> | null;
  archived?: boolean | null;
  cwd?: string | Array<string> | null;
  searchTerm?: string | null;
  excludedThreadIds?: Array<string> | null;
  sectionId?: string | null;
  projectId?: string | null;
  parentThreadId?: string | null;
  ancestorThreadId?: string | null;
  attachedToThreadId?: string | null;
  includeAttachedThreads?: boolean;
  currentAccountOnly?: boolean;
  useStateDbOnly?: boolean;
};

/** A page of threads. */
export type ThreadListResponse = {
  data: Array<Thread>;
  readStates: { [key in string]?: JsonValue } | null;
  nextCursor: string | null;
  backwardsCursor: string | null;
};

/** Ask which threads are loaded. */
export type ThreadLoadedListParams = {
  cursor?: string | null;
  limit?: number | null;
};

/** The ids of loaded threads. */
export type ThreadLoadedListResponse = {
  data: Array<string>;
  nextCursor: string | null;
};

/** A thread has another name. */
export type ThreadNameUpdatedNotification = {
  threadId: string;
  threadName?: string | null;
};

/** Look at a thread without loading it. */
export type ThreadReadParams = {
  threadId: string;
  includeTurns?: boolean;
};

/** The thread. */
export type ThreadReadResponse = {
  thread: Thread;
  readState: JsonValue;
};

/** A piece of the user's voice. */
export type ThreadRealtimeAppendAudioParams = {
  threadId: string;
  audio: ThreadRealtimeAudioChunk;
};

/** Something that the voice shall say. */
export type ThreadRealtimeAppendSpeechParams = {
  threadId: string;
  text: string;
};

/** Something typed. */
export type ThreadRealtimeAppendTextParams = {
  threadId: string;
  text: string;
  role?: "assistant" | "developer" | "user";
};

/** A piece of sound. */
export type ThreadRealtimeAudioChunk = {
  data: string;
  sampleRate: number;
  numChannels: number;
  samplesPerChannel: number | null;
  itemId: string | null;
};

export type ThreadRealtimeBemItemPresentation = WholeItem | InlineMarkdown | InlineVisualization;

/** The conversation is over. */
export type ThreadRealtimeClosedNotification = {
  threadId: string;
  reason: string | null;
};

/** The conversation failed, or could not begin. */
export type ThreadRealtimeErrorNotification = {
  threadId: string;
  message: string;
};

/** Something that was said before the conversation began. */
export type ThreadRealtimeInitialItem = {
  role: "assistant" | "developer" | "user";
  text: string;
};

export type ThreadRealtimeItem = RealtimeSessionStarted | TranscriptSegment | BemItemPromoted | RealtimeSessionClosed;

/** Something was added to the conversation, in the realtime server's own form. */
export type ThreadRealtimeItemAddedNotification = {
  threadId: string;
  item: JsonValue;
};

/** An item of the timeline is complete. */
export type ThreadRealtimeItemCompletedNotification = {
  threadId: string;
  item: ThreadRealtimeItem;
};

/** An item of the timeline has begun. */
export type ThreadRealtimeItemStartedNotification = {
  threadId: string;
  item: ThreadRealtimeItem;
};

/** A piece of what is said in an item of the timeline. */
export type ThreadRealtimeItemTranscriptDeltaNotification = {
  threadId: string;
  itemId: string;
  delta: string;
};

/** Ask for the voices. */
export type ThreadRealtimeListVoicesParams = Record<string, never>;

/** The voices. */
export type ThreadRealtimeListVoicesResponse = {
  voices: RealtimeVoicesList;
};

/** A piece of the assistant's voice. */
export type ThreadRealtimeOutputAudioDeltaNotification = {
  threadId: string;
  audio: ThreadRealtimeAudioChunk;
};

/** How much of an item's sound was heard. What was cut off then counts as not said. */
export type ThreadRealtimePlaybackParams = {
  threadId: string;
  itemId: string;
  playedMs: number;
};

/** There is a connection again. */
export type ThreadRealtimeReconnectedNotification = {
  threadId: string;
  stateRestored: boolean;
};

/** The connection to the realtime server was lost, and is being made again. */
export type ThreadRealtimeReconnectingNotification = {
  threadId: string;
  attempt: number;
  delayMs: number;
  message: string;
};

/** The realtime server's answer to the client's offer. */
export type ThreadRealtimeSdpNotification = {
  threadId: string;
  sdp: string;
};

/** Begin to talk about a thread. */
export type ThreadRealtimeStartParams = {
  threadId: string;
  outputModality: "audio" | "text";
  prompt?: string | null;
  realtimeSessionId?: string | null;
  sessionId?: string | null;
  transport?: ThreadRealtimeStartTransport | null;
  version?: "v1" | "v2" | "v3" | null;
  voice?: "alloy" | "arbor" | "ash" | "aube" | "ballad" | "breeze" | "bubbie" | "cedar" | "coral" | "cove" | "echo" | "ember" | "haetsal" | "hanul" | "himari" | "juniper" | "leher" | "maple" | "marin" | "miko" | "neer" | "porto" | "rindo" | "rio" | "rivage" | "sage" | "selva" | "shimmer" | "sol" | "sonna" | "spruce" | "tinta" | "vale" | "verse" | "viola" | null;
  model?: string | null;
  includeStartupContext?: boolean | null;
  initialItems?: Array<ThreadRealtimeInitialItem> | null;
  realtimeStartInstructions?: string | null;
  realtimeEndInstructions?: string | null;
  clientManagedHandoffs?: boolean | null;
  codexResponsesAsItems?: boolean | null;
  codexResponseItemPrefix?: string | null;
  codexResponseHandoffMode?: "bemTags" | "commentary" | "thinking" | null;
  codexResponseHandoffChannelPrefixes?: { [key in string]?: Array<string> } | null;
  backendReasoningStatus?: boolean;
  delegationAckFiller?: boolean | null;
  flushTranscriptTailOnSessionEnd?: boolean | null;
  voiceSessionId?: string | null;
};

export type ThreadRealtimeStartTransport = WebsocketTransport | WebrtcTransport | ExistingCallTransport;

/** The conversation has begun. */
export type ThreadRealtimeStartedNotification = {
  threadId: string;
  realtimeSessionId: string | null;
  version: "v1" | "v2" | "v3";
};

/** End the conversation. */
export type ThreadRealtimeStopParams = {
  threadId: string;
};

/** A piece of what is said. */
export type ThreadRealtimeTranscriptDeltaNotification = {
  threadId: string;
  role: string;
  delta: string;
};

/** What was said, whole. */
export type ThreadRealtimeTranscriptDoneNotification = {
  threadId: string;
  role: string;
  text: string;
};

/** Something went wrong that the conversation survives. */
export type ThreadRealtimeWarningNotification = {
  threadId: string;
  message: string;
};

/** How many of the turns come with the answer. */
export type ThreadResumeInitialTurnsPageParams = {
  limit?: number | null;
  sortDirection?: "asc" | "desc" | null;
  itemsView?: "full" | "notLoaded" | "summary" | null;
};

/** Go on with a thread. */
export type ThreadResumeParams = {
  threadId: string;
  history?: Array<JsonValue> | null;
  path?: string | null;
  model?: string | null;
  modelProvider?: string | null;
  serviceTier?: string | null;
  cwd?: string | null;
  runtimeWorkspaceRoots?: Array<string> | null;
  approvalPolicy?: AskForApproval | null;
  approvalsReviewer?: "auto_review" | "guardian_subagent" | "user" | null;
  sandbox?: "danger-full-access" | "read-only" | "workspace-write" | null;
  permissions?: string | null;
  config?: { [key in string]?: JsonValue } | null;
  baseInstructions?: string | null;
  developerInstructions?: string | null;
  personality?: "friendly" | "none" | "pragmatic" | null;
  excludeTurns?: boolean;
  initialTurnsPage?: ThreadResumeInitialTurnsPageParams | null;
};

/** The thread, and what it runs with. */
export type ThreadResumeResponse = {
  thread: Thread;
  model: string;
  modelProvider: string;
  serviceTier: string | null;
  disabledPluginIds: Array<string>;
  cwd: string;
  runtimeWorkspaceRoots: Array<string>;
  instructionSources: Array<string>;
  approvalPolicy: AskForApproval;
  approvalsReviewer: "auto_review" | "guardian_subagent" | "user";
  sandbox: SandboxPolicy;
  activePermissionProfile: ActivePermissionProfile | null;
  reasoningEffort: string | null;
  multiAgentMode: MultiAgentMode;
  collaborationMode: JsonValue;
  initialTurnsPage: TurnsPage | null;
  turnsBackwardsCursor: string | null;
  itemsBackwardsCursor: string | null;
};

/** Give a thread a name. */
export type ThreadSetNameParams = {
  threadId: string;
  name: string;
};

/** Begin a thread. Whatever is not given is as configured. */
export type ThreadStartParams = {
  model?: string | null;
  modelProvider?: string | null;
  allowProviderModelFallback?: boolean;
  serviceTier?: string | null;
  cwd?: string | null;
  runtimeWorkspaceRoots?: Array<string> | null;
  approvalPolicy?: AskForApproval | null;
  approvalsReviewer?: "auto_review" | "guardian_subagent" | "user" | null;
  sandbox?: "danger-full-access" | "read-only" | "workspace-write" | null;
  permissions?: string | null;
  config?: { [key in string]?: JsonValue } | null;
  serviceName?: string | null;
  baseInstructions?: string | null;
  developerInstructions?: string | null;
  personality?: "friendly" | "none" | "pragmatic" | null;
  multiAgentMode?: MultiAgentMode | null;
  ephemeral?: boolean | null;
  historyMode?: "legacy" | "paginated" | null;
  sessionStartSource?: "clear" | "startup" | null;
  threadSource?: string | null;
  projectId?: string | null;
  daybreakEnabled?: boolean | null;
  environments?: Array<JsonValue> | null;
  dynamicTools?: Array<JsonValue> | null;
  selectedCapabilityRoots?: Array<JsonValue> | null;
  mockExperimentalField?: string | null;
  experimentalRawEvents?: boolean;
};

/** The thread, and what it runs with. */
export type ThreadStartResponse = {
  thread: Thread;
  model: string;
  modelProvider: string;
  serviceTier: string | null;
  disabledPluginIds: Array<string>;
  cwd: string;
  runtimeWorkspaceRoots: Array<string>;
  instructionSources: Array<string>;
  approvalPolicy: AskForApproval;
  approvalsReviewer: "auto_review" | "guardian_subagent" | "user";
  sandbox: SandboxPolicy;
  activePermissionProfile: ActivePermissionProfile | null;
  reasoningEffort: string | null;
  multiAgentMode: MultiAgentMode;
};

/** There is a new thread. */
export type ThreadStartedNotification = {
  thread: Thread;
};

export type ThreadStatus = NotLoadedStatus | IdleStatus | SystemErrorStatus | ActiveStatus;

/** A thread does something else now. */
export type ThreadStatusChangedNotification = {
  threadId: string;
  status: ThreadStatus;
};

/** The tokens of a thread. */
export type ThreadTokenUsage = {
  total: TokenUsageBreakdown;
  last: TokenUsageBreakdown;
  modelContextWindow: number | null;
};

/** A model request has cost tokens. */
export type ThreadTokenUsageUpdatedNotification = {
  threadId: string;
  turnId: string;
  tokenUsage: ThreadTokenUsage;
};

/** Take a thread out again. */
export type ThreadUnarchiveParams = {
  threadId: string;
};

/** The thread. */
export type ThreadUnarchiveResponse = {
  thread: Thread;
};

/** A thread was taken out again. */
export type ThreadUnarchivedNotification = {
  threadId: string;
};

/** Hear no more of a thread. */
export type ThreadUnsubscribeParams = {
  threadId: string;
};

/** Whether anything was heard of it before. */
export type ThreadUnsubscribeResponse = {
  status: "notLoaded" | "notSubscribed" | "unsubscribed";
};

/** Tokens by what they were spent on. */
export type TokenUsageBreakdown = {
  totalTokens: number;
  inputTokens: number;
  cachedInputTokens: number;
  cacheWriteInputTokens: number;
  outputTokens: number;
  reasoningOutputTokens: number;
};

/** Here somebody spoke. */
export type TranscriptSegment = {
  type: "transcriptSegment";
  id: string;
  realtimeSessionId: string;
  role: "assistant" | "user";
  text: string;
};

/** A turn, as much of it as was loaded. */
export type Turn = {
  id: string;
  rootTurnId: string | null;
  items: Array<ThreadItem>;
  itemsView: "full" | "notLoaded" | "summary";
  status: "completed" | "failed" | "inProgress" | "interrupted";
  error: TurnError | null;
  startedAt: number | null;
  completedAt: number | null;
  durationMs: number | null;
};

/** The agent's work is over, whatever came of it. */
export type TurnCompletedNotification = {
  threadId: string;
  turn: Turn;
};

/** Why a turn failed, or why it has to try again. */
export type TurnError = {
  message: string;
  codexErrorInfo: CodexErrorInfo | null;
  additionalDetails: string | null;
  misalignment: MisalignmentErrorDetails | null;
};

/** End the turn that runs. */
export type TurnInterruptParams = {
  threadId: string;
  turnId: string;
};

/** Give the agent something to do. While a turn runs, it is added to that turn. */
export type TurnStartParams = {
  threadId: string;
  input: Array<UserInput>;
  clientUserMessageId?: string | null;
  responsesapiClientMetadata?: { [key in string]?: string } | null;
  responsesapiClientMetadataPatch?: { [key in string]?: string } | null;
  clientMetadata?: { [key in string]?: string } | null;
  turnTrigger?: string | null;
  parentTurnId?: string | null;
  rootTurnId?: string | null;
  toolOutput?: JsonValue;
  cwd?: string | null;
  model?: string | null;
  effort?: string | null;
  summary?: "auto" | "concise" | "detailed" | "none" | null;
  approvalPolicy?: AskForApproval | null;
  approvalsReviewer?: "auto_review" | "guardian_subagent" | "user" | null;
  sandboxPolicy?: SandboxPolicy | null;
  personality?: "friendly" | "none" | "pragmatic" | null;
  serviceTier?: string | null;
  serviceTierForTurn?: string | null;
  outputSchema?: JsonValue;
  disabledPluginIds?: Array<string> | null;
  additionalContext?: { [key in string]?: JsonValue } | null;
  environments?: Array<JsonValue> | null;
  runtimeWorkspaceRoots?: Array<string> | null;
  permissions?: string | null;
  collaborationMode?: JsonValue;
  multiAgentMode?: MultiAgentMode | null;
  cyberAccessProgram?: JsonValue;
};

/** The turn that took the input. */
export type TurnStartResponse = {
  turn: Turn;
};

/** The agent begins to work. */
export type TurnStartedNotification = {
  threadId: string;
  turn: Turn;
};

/** Change what the turn that runs is doing. */
export type TurnSteerParams = {
  threadId: string;
  input: Array<UserInput>;
  expectedTurnId: string;
  clientUserMessageId?: string | null;
  responsesapiClientMetadata?: { [key in string]?: string } | null;
  responsesapiClientMetadataPatch?: { [key in string]?: string } | null;
  clientMetadata?: { [key in string]?: string } | null;
  additionalContext?: { [key in string]?: JsonValue } | null;
};

/** The turn that took the input. */
export type TurnSteerResponse = {
  turnId: string;
};

/** Some of a thread's turns. */
export type TurnsPage = {
  data: Array<Turn>;
  nextCursor: string | null;
  backwardsCursor: string | null;
};

/** A command does something else. */
export type UnknownAction = {
  type: "unknown";
  command: string;
};

export type UserInput = TextInput | ImageInput | LocalImageInput | AudioInput | LocalAudioInput | SkillInput | MentionInput;

/** What the user put in. */
export type UserMessageItem = {
  type: "userMessage";
  startedAtMs: number | null;
  completedAtMs: number | null;
  id: string;
  clientId: string | null;
  content: Array<UserInput>;
};

/** Something a person should know. */
export type WarningNotification = {
  threadId: string | null;
  message: string;
};

/** The agent searches the web. */
export type WebSearchItem = {
  type: "webSearch";
  startedAtMs: number | null;
  completedAtMs: number | null;
  id: string;
  query: string;
  action: JsonValue;
  results: Array<JsonValue> | null;
};

/** Sound goes directly from the client to the realtime server. */
export type WebrtcTransport = {
  type: "webrtc";
  sdp: string;
};

/** Sound goes through this connection. */
export type WebsocketTransport = {
  type: "websocket";
};

/** Shown whole. */
export type WholeItem = {
  type: "wholeItem";
};

/** Commands may write inside the workspace. */
export type WorkspaceWrite = {
  type: "workspaceWrite";
  writableRoots: Array<string>;
  networkAccess: boolean;
  excludeTmpdirEnvVar: boolean;
  excludeSlashTmp: boolean;
};

export type ClientRequest =
  | { id: RequestId; method: "initialize"; params: InitializeParams }
  | { id: RequestId; method: "thread/start"; params: ThreadStartParams }
  | { id: RequestId; method: "thread/resume"; params: ThreadResumeParams }
  | { id: RequestId; method: "thread/fork"; params: ThreadForkParams }
  | { id: RequestId; method: "thread/archive"; params: ThreadArchiveParams }
  | { id: RequestId; method: "thread/unsubscribe"; params: ThreadUnsubscribeParams }
  | { id: RequestId; method: "thread/name/set"; params: ThreadSetNameParams }
  | { id: RequestId; method: "thread/unarchive"; params: ThreadUnarchiveParams }
  | { id: RequestId; method: "thread/list"; params: ThreadListParams }
  | { id: RequestId; method: "thread/loaded/list"; params: ThreadLoadedListParams }
  | { id: RequestId; method: "thread/read"; params: ThreadReadParams }
  | { id: RequestId; method: "turn/start"; params: TurnStartParams }
  | { id: RequestId; method: "turn/steer"; params: TurnSteerParams }
  | { id: RequestId; method: "turn/interrupt"; params: TurnInterruptParams }
  | { id: RequestId; method: "thread/realtime/start"; params: ThreadRealtimeStartParams }
  | { id: RequestId; method: "thread/realtime/appendAudio"; params: ThreadRealtimeAppendAudioParams }
  | { id: RequestId; method: "thread/realtime/appendText"; params: ThreadRealtimeAppendTextParams }
  | { id: RequestId; method: "thread/realtime/appendSpeech"; params: ThreadRealtimeAppendSpeechParams }
  | { id: RequestId; method: "thread/realtime/stop"; params: ThreadRealtimeStopParams }
  | { id: RequestId; method: "thread/realtime/listVoices"; params: ThreadRealtimeListVoicesParams }
  | { id: RequestId; method: "thread/realtime/playback"; params: ThreadRealtimePlaybackParams }
  | { id: RequestId; method: "model/list"; params: ModelListParams }
  | { id: RequestId; method: "experimentalFeature/list"; params: ExperimentalFeatureListParams }
  | { id: RequestId; method: "account/login/start"; params: LoginAccountParams }
  | { id: RequestId; method: "account/logout"; params?: LogoutAccountParams }
  | { id: RequestId; method: "account/read"; params: GetAccountParams };

export type ClientNotification =
  | { method: "initialized" };

export type ServerRequest =
  | { id: RequestId; method: "item/commandExecution/requestApproval"; params: CommandExecutionRequestApprovalParams }
  | { id: RequestId; method: "item/fileChange/requestApproval"; params: FileChangeRequestApprovalParams };

export type ServerNotification =
  | { method: "error"; params: ErrorNotification }
  | { method: "warning"; params: WarningNotification }
  | { method: "thread/started"; params: ThreadStartedNotification }
  | { method: "thread/status/changed"; params: ThreadStatusChangedNotification }
  | { method: "thread/closed"; params: ThreadClosedNotification }
  | { method: "thread/archived"; params: ThreadArchivedNotification }
  | { method: "thread/unarchived"; params: ThreadUnarchivedNotification }
  | { method: "thread/name/updated"; params: ThreadNameUpdatedNotification }
  | { method: "thread/tokenUsage/updated"; params: ThreadTokenUsageUpdatedNotification }
  | { method: "turn/started"; params: TurnStartedNotification }
  | { method: "turn/completed"; params: TurnCompletedNotification }
  | { method: "item/started"; params: ItemStartedNotification }
  | { method: "item/completed"; params: ItemCompletedNotification }
  | { method: "item/agentMessage/delta"; params: AgentMessageDeltaNotification }
  | { method: "item/reasoning/summaryPartAdded"; params: ReasoningSummaryPartAddedNotification }
  | { method: "item/reasoning/summaryTextDelta"; params: ReasoningSummaryTextDeltaNotification }
  | { method: "item/commandExecution/outputDelta"; params: CommandExecutionOutputDeltaNotification }
  | { method: "serverRequest/resolved"; params: ServerRequestResolvedNotification }
  | { method: "account/login/completed"; params: AccountLoginCompletedNotification }
  | { method: "account/updated"; params: AccountUpdatedNotification }
  | { method: "thread/realtime/started"; params: ThreadRealtimeStartedNotification }
  | { method: "thread/realtime/itemAdded"; params: ThreadRealtimeItemAddedNotification }
  | { method: "thread/realtime/item/started"; params: ThreadRealtimeItemStartedNotification }
  | { method: "thread/realtime/item/transcript/delta"; params: ThreadRealtimeItemTranscriptDeltaNotification }
  | { method: "thread/realtime/item/completed"; params: ThreadRealtimeItemCompletedNotification }
  | { method: "thread/realtime/transcript/delta"; params: ThreadRealtimeTranscriptDeltaNotification }
  | { method: "thread/realtime/transcript/done"; params: ThreadRealtimeTranscriptDoneNotification }
  | { method: "thread/realtime/outputAudio/delta"; params: ThreadRealtimeOutputAudioDeltaNotification }
  | { method: "thread/realtime/sdp"; params: ThreadRealtimeSdpNotification }
  | { method: "thread/realtime/error"; params: ThreadRealtimeErrorNotification }
  | { method: "thread/realtime/closed"; params: ThreadRealtimeClosedNotification }
  | { method: "thread/realtime/warning"; params: ThreadRealtimeWarningNotification }
  | { method: "thread/realtime/reconnecting"; params: ThreadRealtimeReconnectingNotification }
  | { method: "thread/realtime/reconnected"; params: ThreadRealtimeReconnectedNotification };

export type ClientRequestResults = {
  "initialize": InitializeResponse;
  "thread/start": ThreadStartResponse;
  "thread/resume": ThreadResumeResponse;
  "thread/fork": ThreadForkResponse;
  "thread/archive": Empty;
  "thread/unsubscribe": ThreadUnsubscribeResponse;
  "thread/name/set": Empty;
  "thread/unarchive": ThreadUnarchiveResponse;
  "thread/list": ThreadListResponse;
  "thread/loaded/list": ThreadLoadedListResponse;
  "thread/read": ThreadReadResponse;
  "turn/start": TurnStartResponse;
  "turn/steer": TurnSteerResponse;
  "turn/interrupt": Empty;
  "thread/realtime/start": Empty;
  "thread/realtime/appendAudio": Empty;
  "thread/realtime/appendText": Empty;
  "thread/realtime/appendSpeech": Empty;
  "thread/realtime/stop": Empty;
  "thread/realtime/listVoices": ThreadRealtimeListVoicesResponse;
  "thread/realtime/playback": Empty;
  "model/list": ModelListResponse;
  "experimentalFeature/list": ExperimentalFeatureListResponse;
  "account/login/start": ApiKeyLoggedIn;
  "account/logout": Empty;
  "account/read": GetAccountResponse;
};

export type ServerRequestResults = {
  "item/commandExecution/requestApproval": CommandExecutionRequestApprovalResponse;
  "item/fileChange/requestApproval": FileChangeRequestApprovalResponse;
};
