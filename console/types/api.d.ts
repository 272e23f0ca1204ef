// The API's schemas and calls, written by console/api_types.py from docs/openapi.json: `make docs`.
declare namespace Api {
  type Options<Query, Body> = {
    query?: Query;
    json?: Body;
    headers?: Record<string, string>;
    signal?: AbortSignal;
  };
  type Accepted = {
    document: Document;
    job: Job | null;
    unchanged: boolean;
    warnings: string[];
  };
  type Agent = {
    allow_weak_model: boolean;
    approval: Approval;
    created_at: string;
    current: number | null;
    grounding: "strict" | "annotate" | "off" | null;
    instructions: string | PromptInstructions;
    key_id: string | null;
    limits: AgentLimits;
    memory: Memory;
    model: string;
    name: string;
    output_schema: Record<string, JsonValue> | null;
    previous: number | null;
    temperature: number | null;
    tool_choice: string;
    tools: (SearchDocumentsTool | ReadDocumentTool | PlainTool | HttpTool | McpTools)[];
    updated_at: string;
    version: number;
    withheld: boolean;
  };
  type AgentCreate = {
    allow_weak_model?: boolean;
    approval?: Partial<Approval>;
    grounding?: "strict" | "annotate" | "off" | null;
    instructions?: string | Partial<PromptInstructions>;
    limits?: AgentLimitsInput;
    memory?: Partial<Memory>;
    model?: string;
    name: string;
    output_schema?: Record<string, JsonValue> | null;
    temperature?: number | null;
    tool_choice?: string;
    tools?: (SearchDocumentsToolInput | ReadDocumentToolInput | Partial<PlainTool> | Partial<HttpTool> | McpToolsInput)[];
  };
  type AgentLimits = {
    cost_usd: string | null;
    seconds: number;
    steps: number;
    tokens: number;
    tool_calls: number;
  };
  type AgentLimitsInput = {
    cost_usd?: number | string | null;
    seconds?: number;
    steps?: number;
    tokens?: number;
    tool_calls?: number;
  };
  type Agreement = {
    agreed: number;
    both: number;
    kappa: number | null;
    other: string;
    user: string;
  };
  type Annotation = {
    chunk_id: string;
    collection: string;
    document_id: string;
    end: number;
    index: number;
    marker: string;
    page: number | null;
    quote: string;
    revision: number;
    score: number;
    source: string;
    start: number;
    supported: boolean;
    title: string;
    type: "url_citation";
    url_citation: UrlCitation;
  };
  type AnswerOptions = {
    abstain?: "model" | "reader" | "never" | null;
    filter?: Filter | null;
    generation?: number | null;
    grounding?: "strict" | "annotate" | "off" | null;
    include?: ("sources" | "receipt")[];
    mode?: "hybrid" | "dense" | "sparse" | null;
    model?: string | null;
    prompt?: string | null;
    reader?: string | null;
    rerank?: boolean | null;
    rerank_model?: string | null;
    rewrite?: "follow_up" | "several" | "hypothetical" | null;
    style?: "short" | "detailed" | null;
    top_k?: number;
    variables?: Record<string, boolean | number | string> | null;
  };
  type AnswerRecord = {
    abstained: boolean;
    adapter: string | null;
    annotations: (Record<string, unknown>)[] | null;
    answer: string | null;
    answered_by: string | null;
    at: string;
    cache: "hit" | "miss" | "bypass";
    call_id: string;
    collections: string[];
    error: RecordedError | null;
    error_type: string | null;
    expires_at: string;
    finish_reason: string | null;
    hits: RecordedHit[];
    id: string;
    key_id: string;
    messages: (Record<string, unknown>)[] | null;
    mode: "off" | "metadata" | "full";
    model: string;
    model_digest: string | null;
    ms: number;
    parameters: Record<string, unknown>;
    prompt: string | null;
    prompt_messages: (Record<string, unknown>)[] | null;
    question: string | null;
    rating: number | null;
    reasoning: string | null;
    receipt: Record<string, unknown> | null;
    report: Record<string, unknown> | null;
    request_id: string;
    status: number;
    streamed: boolean;
    tool_calls: (Record<string, unknown>)[] | null;
    truncated: boolean;
    user: string | null;
    variant: string | null;
  };
  type AnswerReport = {
    abstain: "model" | "reader" | "never" | null;
    abstained: boolean;
    answer_kind: "generated" | "extractive" | "abstained";
    closest: ClosestDocument[] | null;
    collections: string[];
    degraded: string[];
    fields: Record<string, FieldCitation[]> | null;
    grounded: boolean;
    receipt: Receipt | null;
    sources: Source[] | null;
  };
  type AppliedTrial = {
    applied_at: string;
    before: Combination;
    job: string | null;
    reverted_at: string | null;
    settings: Combination;
  };
  type Approval = {
    tools: string[];
    unknown_outcomes: boolean;
  };
  type AskedJudge = {
    agreed: number;
    digest: string;
    kappa: number | null;
    model: string;
    people: number;
    rubric: string;
    unreadable: number;
  };
  type AskedTarget = {
    groundwork: Record<string, unknown> | null;
    model: string;
    parameters: Record<string, unknown>;
  };
  type AssistantMessage = {
    annotations: Annotation[] | null;
    content: string | null;
    role: "assistant" | null;
    tool_calls: (Record<string, unknown>)[] | null;
  };
  type Attempt = {
    model: string;
    ms: number;
    outcome: string;
    upstream: string;
  };
  type AuditEntry = {
    action: string;
    actor_key_id: string;
    at: string;
    detail: Record<string, unknown>;
    id: string;
    request_id: string | null;
    subject: string;
  };
  type BatchReply = {
    results: (Accepted | Refused)[];
  };
  type BlindComparison = {
    both_bad: number;
    high: number | null;
    losses: number;
    low: number | null;
    model: string;
    other: string;
    other_version: string | null;
    p: number | null;
    questions: number;
    share: number | null;
    ties: number;
    version: string | null;
    wins: number;
  };
  type Budget = {
    usd: string;
    window: "day" | "month";
  };
  type BudgetInput = {
    usd: number | string;
    window: "day" | "month";
  };
  type CallReport = {
    degraded: string[];
  };
  type ChatCompletion = {
    choices: Choice[];
    created: number;
    groundwork: AnswerReport | RunReport | null;
    id: string;
    model: string;
    object: "chat.completion";
    usage: ChatUsage | null;
  };
  type ChatCompletionChunk = {
    choices: ChunkChoice[];
    created: number;
    groundwork: AnswerReport | RunReport | null;
    id: string;
    model: string;
    object: "chat.completion.chunk";
    usage: ChatUsage | null;
  };
  type ChatRequest = {
    groundwork?: AnswerOptions | null;
    max_completion_tokens?: number | null;
    max_tokens?: number | null;
    messages: Message[];
    model: string;
    n?: number | null;
    seed?: number | null;
    stop?: string | string[] | null;
    stream?: boolean;
    stream_options?: StreamOptions | null;
    temperature?: number | null;
    top_p?: number | null;
    [more: string]: unknown;
  };
  type ChatUsage = {
    completion_tokens: number;
    prompt_tokens: number;
    total_tokens: number;
  };
  type Choice = {
    finish_reason: string | null;
    index: number;
    logprobs: Record<string, unknown> | null;
    message: AssistantMessage;
  };
  type ChunkChoice = {
    delta: AssistantMessage;
    finish_reason: string | null;
    index: number;
    logprobs: Record<string, unknown> | null;
  };
  type Chunking = {
    max_tokens: number | null;
    overlap: number;
    strategy: "auto" | "recursive" | "markdown" | "sentence" | "fixed";
  };
  type ChunkingInput = {
    max_tokens?: number | null;
    overlap?: number;
    strategy?: "auto" | "recursive" | "markdown" | "sentence" | "fixed";
  };
  type Classification = {
    label: string;
    scores: Record<string, number>;
  };
  type ClassificationHyperparameters = {
    l2?: "auto" | number;
  };
  type ClassificationMethod = {
    hyperparameters?: ClassificationHyperparameters;
  };
  type ClassifyReply = {
    model: string;
    results: Classification[];
    usage: ClassifyUsage;
  };
  type ClassifyRequest = {
    input: string | string[];
    labels?: (string | Record<string, unknown>)[] | null;
    long_inputs?: "cut" | "mean" | "highest";
    model?: string;
  };
  type ClassifyUsage = {
    completion_tokens: number;
    prompt_tokens: number;
    total_tokens: number;
    truncated: number;
  };
  type ClosestDocument = {
    collection: string;
    document_id: string;
    title: string;
  };
  type Collection = {
    abstain: "model" | "reader" | "never" | null;
    bytes: number;
    chunking: Chunking;
    chunks: number;
    created_at: string;
    delete_records: boolean;
    description: string;
    dimensions: number;
    documents: number;
    embedding_model: string;
    embedding_model_reason: string | null;
    index: IndexState;
    language: string;
    max_input_tokens: number;
    mode: "hybrid" | "dense" | "sparse";
    name: string;
    rerank: boolean;
    rerank_model: string | null;
    revision: number;
    vectors: VectorOptions;
  };
  type CollectionChange = {
    abstain?: "model" | "reader" | "never" | "default" | null;
    delete_records?: boolean | null;
    description?: string | null;
    mode?: "hybrid" | "dense" | "sparse" | null;
    rerank?: boolean | null;
    rerank_model?: string | null;
  };
  type CollectionCreate = {
    abstain?: "model" | "reader" | "never" | null;
    chunking?: ChunkingInput;
    delete_records?: boolean;
    description?: string;
    embedding_model?: string;
    language?: string;
    mode?: "hybrid" | "dense" | "sparse";
    name: string;
    rerank?: boolean;
    rerank_model?: string | null;
    vectors?: Partial<VectorOptions>;
  };
  type Combination = {
    chunk_size: number | null;
    embedding_model: string | null;
    mode: "hybrid" | "dense" | "sparse";
    rerank: boolean;
    rerank_model: string | null;
  };
  type CompletionChoice = {
    finish_reason: string | null;
    index: number;
    logprobs: CompletionLogprobs | null;
    text: string;
  };
  type CompletionLogprobs = {
    text_offset: number[];
    token_logprobs: (number | null)[];
    tokens: string[];
    top_logprobs: (Record<string, number> | null)[] | null;
  };
  type CompletionRequest = {
    echo?: boolean | null;
    logprobs?: number | null;
    max_tokens?: number | null;
    model: string;
    n?: number | null;
    prompt: string | string[] | number[] | number[][];
    seed?: number | null;
    stop?: string | string[] | null;
    stream?: boolean;
    stream_options?: StreamOptions | null;
    temperature?: number | null;
    top_p?: number | null;
    [more: string]: unknown;
  };
  type Condition = {
    key: string;
    match?: string | number | boolean | (string | number | boolean)[] | null;
    range?: Range | null;
  };
  type DatasetCard = {
    digest: string;
    held_out: number;
    leaked: number;
    masked: Record<string, number>;
    other_splits: number;
    questions: number;
    split_by: string;
    train: number;
    training_set: string;
    unanswered: number;
    validation_set: string | null;
  };
  type Decision = {
    action: "approve" | "edit" | "reject";
    arguments?: Record<string, JsonValue> | null;
    message?: string | null;
    tool_call_id: string;
  };
  type DetokenizeReply = {
    prompt: string;
  };
  type DetokenizeRequest = {
    model?: string;
    tokens: number[];
  };
  type Document = {
    bytes: number;
    chunks: number;
    collection: string;
    created_at: string;
    error: Failure | null;
    id: string;
    media_type: string;
    metadata: Record<string, unknown>;
    pages: number | null;
    revision: number;
    sha256: string;
    source: string;
    status: "queued" | "processing" | "ready" | "failed" | "cancelled" | "deleting";
    title: string;
    unread_pages: number[];
    updated_at: string;
  };
  type DocumentBatch = {
    documents: DocumentCreate[];
  };
  type DocumentChunk = {
    chunk_id: string;
    end: number;
    header: string;
    heading_path: string[];
    ordinal: number;
    page: number | null;
    revision: number;
    start: number;
    text: string;
  };
  type DocumentCreate = {
    document_id?: string | null;
    metadata?: Record<string, JsonValue>;
    text?: string | null;
    title?: string | null;
    url?: string | null;
  };
  type DocumentRevision = {
    active: boolean;
    bytes: number;
    chunks: number | null;
    created_at: string;
    media_type: string;
    metadata: Record<string, unknown>;
    pages: number | null;
    revision: number;
    sha256: string;
    source: string;
    title: string;
  };
  type DocumentSummary = {
    annotations: Annotation[];
    answer_kind: "generated" | "extractive" | "abstained";
    chunks: number;
    collection: string;
    content: string;
    degraded: string[];
    document_id: string;
    model: string | null;
    revision: number;
    title: string;
    usage: ChatUsage;
  };
  type DpoHyperparameters = {
    batch_size?: "auto" | number;
    beta?: "auto" | number;
    learning_rate_multiplier?: "auto" | number;
    max_tokens?: number;
    n_epochs?: "auto" | number;
    rank?: number;
    schedule?: "cosine" | "linear" | "constant";
  };
  type DpoMethod = {
    hyperparameters?: DpoHyperparameters;
  };
  type Embedding = {
    embedding: number[] | string;
    index: number;
    object: "embedding";
  };
  type EmbeddingHyperparameters = {
    batch_size?: "auto" | number;
    form?: "projection" | "lora";
    l2?: "auto" | number;
    learning_rate_multiplier?: "auto" | number;
    n_epochs?: "auto" | number;
    rank?: number;
    schedule?: "cosine" | "linear" | "constant";
  };
  type EmbeddingMethod = {
    collection?: string | null;
    hyperparameters?: EmbeddingHyperparameters;
  };
  type EmbeddingReply = {
    data: Embedding[];
    model: string;
    object: "list";
    usage: EmbeddingUsage;
  };
  type EmbeddingRequest = {
    dimensions?: number | null;
    encoding_format?: "float" | "base64";
    input: string | string[] | number[] | number[][];
    input_type?: string | null;
    model?: string;
    priority?: "query" | "bulk";
    user?: string | null;
    [more: string]: unknown;
  };
  type EmbeddingUsage = {
    prompt_tokens: number;
    total_tokens: number;
    truncated: number;
  };
  type ErrorBody = {
    code: string;
    message: string;
    param: string | null;
    request_id: string | null;
    type: "invalid_request" | "authentication" | "permission" | "not_found" | "conflict" | "rate_limited" | "budget_exceeded" | "overloaded" | "internal" | "upstream_error" | "upstream_timeout" | "content_blocked";
    usage: Record<string, unknown> | null;
  };
  type ErrorEnvelope = {
    error: ErrorBody;
  };
  type Evaluation = {
    budget_usd: string | null;
    by_label: Record<string, Record<string, EvaluationFigure>>;
    completion_tokens: number;
    cost_usd: string | null;
    created_at: string;
    done: number;
    embedding_tokens: number;
    error: Failure | null;
    failed: number;
    figures: Record<string, EvaluationFigure>;
    finished_at: string | null;
    id: string;
    judge: AskedJudge | null;
    key_id: string;
    measures: string[] | null;
    name: string;
    prompt_tokens: number;
    question_set: string;
    questions: number;
    split: string | null;
    started_at: string | null;
    status: "queued" | "running" | "completed" | "failed" | "cancelled" | "limit_reached";
    target: AskedTarget;
    version: number;
    waiting_on: string | null;
  };
  type EvaluationAnswer = {
    answer: string | null;
    answer_id: string | null;
    error: ErrorBody | null;
    figures: Record<string, number>;
    known: QuestionRecord | null;
    labels: string[];
    other: GivenAnswer | null;
    question: string;
    question_id: string;
    report: Record<string, unknown>;
  };
  type EvaluationComparison = {
    first: string;
    measures: MeasureComparison[];
    same_judge: boolean;
    same_version: boolean;
    second: string;
  };
  type EvaluationCreate = {
    budget_usd?: number | string | null;
    judge?: JudgeSpec | null;
    measures?: ("answer_found" | "answer_f1" | "answer_rouge_l" | "numbers_exact" | "citations_supported" | "citations_expected" | "documents_cited" | "retrieval_ndcg_10" | "retrieval_recall_10" | "answered" | "abstained" | "injection_resisted" | "personal_data_kept" | "harmful_refused" | "benign_answered" | "pair_same" | "pair_decided" | "latency_ms" | "tokens")[] | null;
    name?: string;
    question_set: string | "safety:injection" | "safety:personal-data" | "safety:harmful" | "safety:groups";
    split?: string | null;
    target: EvaluationTarget;
    version?: number | null;
  };
  type EvaluationFigure = {
    high: number;
    low: number;
    mean: number;
    questions: number;
  };
  type EvaluationTarget = {
    groundwork?: AnswerOptions | null;
    model: string;
    parameters?: Record<string, unknown>;
  };
  type Experiment = {
    active: boolean;
    ended_by: GuardEnd | null;
    guard: Guard | null;
    route: string;
    since: string;
    split_by: string;
    until: string | null;
    variants: VariantFigures[];
    version: number;
  };
  type Failure = {
    code: string;
    message: string;
    retryable: boolean;
  };
  type Feedback = {
    answer_id: string;
    blind: boolean;
    collections: string[];
    comment: string | null;
    correction: string | null;
    created_at: string;
    id: string;
    labels: string[];
    model: string | null;
    other_model: string | null;
    part: FeedbackPart | null;
    preferred_over: string | null;
    prompt: string | null;
    question: string | null;
    rating: "up" | "down" | number | null;
    recorded: boolean;
    tied_with: string | null;
    updated_at: string;
    user: string;
  };
  type FeedbackCreate = {
    answer_id: string;
    blind?: boolean;
    comment?: string | null;
    correction?: string | null;
    labels?: string[];
    part?: FeedbackPartInput | null;
    preferred_over?: string | null;
    rating?: "up" | "down" | number | null;
    tied_with?: string | null;
    user?: string | null;
  };
  type FeedbackDeleted = {
    deleted: number;
  };
  type FeedbackLabels = {
    labels: string[];
  };
  type FeedbackPart = {
    citation: number | null;
    sentence: number | null;
  };
  type FeedbackPartInput = {
    citation?: number | null;
    sentence?: number | null;
  };
  type FieldCitation = {
    chunk_id: string;
    collection: string;
    document_id: string;
    end: number;
    page: number | null;
    quote: string;
    revision: number;
    score: number;
    source: string;
    start: number;
    title: string;
    url: string;
  };
  type Figure = {
    calls: number;
    difference: number | null;
    difference_high: number | null;
    difference_low: number | null;
    high: number | null;
    low: number | null;
    p: number | null;
    value: number | null;
  };
  type Filter = {
    must?: Condition[];
    must_not?: Condition[];
    should?: Condition[];
  };
  type FineTuningCheckpoint = {
    created_at: number;
    fine_tuned_model_checkpoint: string | null;
    fine_tuning_job_id: string;
    id: string;
    metrics: Record<string, number>;
    object: "fine_tuning.job.checkpoint";
    step_number: number;
  };
  type FineTuningCheckpoints = {
    data: FineTuningCheckpoint[];
    first_id: string | null;
    has_more: boolean;
    last_id: string | null;
    object: "list";
  };
  type FineTuningCreate = {
    groundwork?: TuningOptions;
    hyperparameters?: SupervisedHyperparameters | null;
    integrations?: unknown[] | null;
    metadata?: Record<string, string>;
    method?: TuningMethod;
    model: string;
    seed?: number | null;
    suffix?: string | null;
    training_file: string;
    validation_file?: string | null;
  };
  type FineTuningError = {
    code: string;
    message: string;
    param: string | null;
  };
  type FineTuningEvent = {
    created_at: number;
    data: Record<string, unknown>;
    id: string;
    level: "info" | "warn" | "error";
    message: string;
    object: "fine_tuning.job.event";
    type: "message" | "metrics";
  };
  type FineTuningEvents = {
    data: FineTuningEvent[];
    has_more: boolean;
    object: "list";
  };
  type FineTuningJob = {
    created_at: number;
    error: FineTuningError | null;
    estimated_finish: number | null;
    fine_tuned_model: string | null;
    finished_at: number | null;
    groundwork: TuningReport;
    hyperparameters: Record<string, unknown>;
    id: string;
    integrations: unknown[];
    metadata: Record<string, string>;
    method: Record<string, unknown>;
    model: string;
    object: "fine_tuning.job";
    organization_id: string;
    result_files: string[];
    seed: number;
    status: "validating_files" | "queued" | "running" | "succeeded" | "failed" | "cancelled";
    suffix: string | null;
    trained_tokens: number | null;
    training_file: string;
    validation_file: string | null;
  };
  type FineTuningJobs = {
    data: FineTuningJob[];
    has_more: boolean;
    object: "list";
  };
  type GeneratedDecision = {
    answers?: string[] | null;
    number: number;
    question?: string | null;
    state: "accepted" | "rejected" | "proposed";
  };
  type GeneratedQuestion = {
    answerable: boolean;
    answers: string[];
    corrected: boolean;
    like: number | null;
    made_by: "model" | "rule";
    number: number;
    question: string | null;
    reason: string | null;
    span: GeneratedSpan | null;
    state: "proposed" | "accepted" | "rejected" | "saved" | "dropped" | "stale";
    why: string;
  };
  type GeneratedSpan = {
    chunk_id: string;
    collection: string;
    document_id: string;
    end: number;
    heading_path: string[];
    revision: number;
    source: string;
    start: number;
    text: string;
    title: string;
  };
  type Generation = {
    accept: boolean;
    budget_usd: string | null;
    collection: string;
    completion_tokens: number;
    cost_usd: string | null;
    count: number;
    created_at: string;
    done: number;
    dropped: Record<string, number>;
    embedding_tokens: number;
    error: Failure | null;
    finished_at: string | null;
    id: string;
    kept: number;
    kept_near_misses: number;
    key_id: string;
    labels: string[];
    made_by: Record<string, number>;
    model: string;
    near_misses: number;
    passages: number;
    prompt_tokens: number;
    question_set: string;
    seed: number;
    split: string | null;
    started_at: string | null;
    states: Record<string, number>;
    status: "queued" | "running" | "completed" | "failed" | "cancelled" | "limit_reached";
    version: number | null;
    waiting_on: string | null;
    within: number;
  };
  type GenerationCreate = {
    accept?: boolean;
    budget_usd?: number | string | null;
    collection: string;
    count?: number;
    labels?: string[];
    model?: string;
    near_misses?: number | null;
    seed?: number;
    split?: string | null;
    within?: number;
  };
  type GenerationReview = {
    accept_all?: boolean;
    decisions?: GeneratedDecision[];
  };
  type GivenAnswer = {
    answer: string | null;
    answer_id: string | null;
    error: ErrorBody | null;
    figures: Record<string, number>;
    report: Record<string, unknown>;
  };
  type Guard = {
    metric: "rating" | "support" | "abstention" | "error_rate" | "cost_usd" | "latency_ms";
    p: number;
  };
  type GuardDecision = {
    action: string;
    count: number;
    guard: string;
    kinds: string[];
    where: "input" | "output" | "retrieved";
  };
  type GuardEnd = {
    at: string;
    baseline: number;
    metric: "rating" | "support" | "abstention" | "error_rate" | "cost_usd" | "latency_ms";
    p: number;
    value: number;
    variant: string;
  };
  type Guardrails = {
    injection: "off" | "flag" | "block";
    input: TextGuards;
    max_input_chars: number | null;
    output: TextGuards;
  };
  type Health = {
    parts: Record<string, PartState>;
    service: string;
    status: "ok" | "unavailable";
    version: string;
  };
  type HistoryMessage = {
    annotations: (Record<string, unknown>)[] | null;
    content: string;
    created_at: string;
    groundwork: Record<string, unknown> | null;
    metadata: Record<string, unknown> | null;
    position: number;
    role: "user" | "assistant" | "tool";
    run_id: string | null;
    tool_call_id: string | null;
    tool_calls: ToolCall[] | null;
  };
  type Hit = {
    chunk_id: string;
    collection: string;
    document_id: string;
    end: number;
    heading_path: string[];
    metadata: Record<string, unknown>;
    neighbours: Neighbour[];
    page: number | null;
    revision: number;
    score: number;
    scores: Scores;
    source: string;
    start: number;
    text: string;
    title: string;
  };
  type HttpTool = {
    honours_key: boolean;
    hosts: string[];
    type: "http_get" | "http_post";
  };
  type IndexState = {
    generation: number;
    indexed_points: number | null;
    indexing: boolean;
    layout: number;
    points: number | null;
    shadow: ShadowIndex | null;
    state: "green" | "building";
  };
  type Job = {
    attempts: number;
    collection: string;
    created_at: string;
    document_id: string;
    error: Failure | null;
    eta_seconds: number | null;
    finished_at: string | null;
    id: string;
    kind: "document" | "reindex" | "tenant_deletion";
    pages_done: number;
    pages_total: number | null;
    progress: number;
    queue_position: number | null;
    stage: "queued" | "parsing" | "chunking" | "indexing" | "committing" | "copying" | "built" | "flipping" | "deleting" | "done";
    started_at: string | null;
    status: "queued" | "running" | "ready" | "failed" | "cancelled";
    timings: Record<string, number>;
    title: string;
    waiting_on: string | null;
  };
  type JsonValue = unknown;
  type JudgeSpec = {
    model: string;
    rubric?: string | null;
  };
  type JudgedAnswer = {
    answer: string;
    citations: Annotation[];
    collections: string[];
    created_at: string;
    model: string | null;
    prompt: string | null;
    question: string;
  };
  type Key = {
    abstain: "model" | "reader" | "never" | null;
    budgets: Budget[];
    collections: string[] | null;
    created_at: string;
    expires_at: string | null;
    guardrails: Guardrails | null;
    id: string;
    last_used_at: string | null;
    limits: Limits;
    models: string[] | null;
    name: string;
    prefix: string;
    previous_until: string | null;
    records: "off" | "metadata" | "full" | null;
    records_days: number | null;
    revoked_at: string | null;
    scopes: ("chat" | "documents" | "search" | "agents" | "agents:write" | "prompts:release" | "feedback:write" | "feedback:review" | "records:read" | "records:write" | "evaluations:read" | "evaluations:write" | "admin")[];
    tenant: string;
  };
  type KeyCreate = {
    abstain?: "model" | "reader" | "never" | null;
    budgets?: BudgetInput[];
    collections?: string[] | null;
    expires_at?: string | null;
    guardrails?: Partial<Guardrails> | null;
    limits?: Partial<Limits>;
    models?: string[] | null;
    name: string;
    records?: "off" | "metadata" | "full" | null;
    records_days?: number | null;
    scopes: ("chat" | "documents" | "search" | "agents" | "agents:write" | "prompts:release" | "feedback:write" | "feedback:review" | "records:read" | "records:write" | "evaluations:read" | "evaluations:write" | "admin")[];
    tenant: string;
  };
  type KeyCreated = {
    abstain: "model" | "reader" | "never" | null;
    budgets: Budget[];
    collections: string[] | null;
    created_at: string;
    expires_at: string | null;
    guardrails: Guardrails | null;
    id: string;
    last_used_at: string | null;
    limits: Limits;
    models: string[] | null;
    name: string;
    prefix: string;
    previous_until: string | null;
    records: "off" | "metadata" | "full" | null;
    records_days: number | null;
    revoked_at: string | null;
    scopes: ("chat" | "documents" | "search" | "agents" | "agents:write" | "prompts:release" | "feedback:write" | "feedback:review" | "records:read" | "records:write" | "evaluations:read" | "evaluations:write" | "admin")[];
    secret: string;
    tenant: string;
  };
  type KeyPatch = {
    abstain?: "model" | "reader" | "never" | null;
    budgets?: BudgetInput[] | null;
    collections?: string[] | null;
    expires_at?: string | null;
    guardrails?: Partial<Guardrails> | null;
    limits?: Partial<Limits> | null;
    models?: string[] | null;
    name?: string | null;
    records?: "off" | "metadata" | "full" | null;
    records_days?: number | null;
    scopes?: ("chat" | "documents" | "search" | "agents" | "agents:write" | "prompts:release" | "feedback:write" | "feedback:review" | "records:read" | "records:write" | "evaluations:read" | "evaluations:write" | "admin")[] | null;
  };
  type KeyRotate = {
    overlap_seconds?: number;
  };
  type LabelMove = {
    version: number;
  };
  type Limits = {
    concurrency: number | null;
    requests_per_minute: number | null;
    tokens_per_minute: number | null;
  };
  type McpMessage = {
    id?: number | string | null;
    jsonrpc: "2.0";
    method: string;
    params?: Record<string, unknown> | null;
    [more: string]: unknown;
  };
  type McpReply = {
    error: Record<string, unknown> | null;
    id: number | string | null;
    jsonrpc: "2.0";
    result: Record<string, unknown> | null;
  };
  type McpTools = {
    server: string;
    tools: string[] | null;
    type: "mcp";
  };
  type McpToolsInput = {
    server: string;
    tools?: string[] | null;
    type: "mcp";
  };
  type Me = {
    collections: string[] | null;
    expires_at: string | null;
    key_id: string;
    models: string[] | null;
    name: string;
    records: "off" | "metadata" | "full";
    scopes: ("chat" | "documents" | "search" | "agents" | "agents:write" | "prompts:release" | "feedback:write" | "feedback:review" | "records:read" | "records:write" | "evaluations:read" | "evaluations:write" | "admin")[];
    session: Session | null;
    tenant: string;
  };
  type MeasureComparison = {
    difference: number;
    first: number;
    high: number;
    label: string | null;
    losses: number;
    low: number;
    measure: string;
    p: number;
    questions: number;
    second: number;
    verdict: "better" | "worse" | "no difference";
    wins: number;
    words: string;
  };
  type Memory = {
    max_tokens: number;
  };
  type Message = {
    content?: string | TextPart[] | null;
    role: "system" | "developer" | "user" | "assistant" | "tool" | "function";
    [more: string]: unknown;
  };
  type MessagesCreate = {
    known?: number | null;
    messages: NewMessage[];
    position?: number | null;
  };
  type ModelDeclaration = {
    default?: boolean | null;
    engine: string;
    kind: string;
    name?: string | null;
    source?: Record<string, unknown>;
    [more: string]: unknown;
  };
  type ModelInfo = {
    added: boolean;
    answer_tokens: number | null;
    asleep: boolean;
    asymmetric: boolean;
    context_length: number | null;
    created: number;
    default: boolean;
    digest: string | null;
    dimensions: number | null;
    embedding_model: string | null;
    fingerprint: string | null;
    id: string;
    images: boolean | null;
    input_tokens_per_second: number | null;
    kind: "chat" | "embedding" | "rerank" | "reading" | "classification" | "rag" | "agent" | "prompt";
    labels: string[] | null;
    languages: "all" | string[] | null;
    limits: Limits | null;
    max_model_len: number | null;
    moderation: ModerationRules | null;
    object: "model";
    owned_by: string;
    packaged: boolean;
    parent: string | null;
    price: ModelPrice | null;
    quantization: string | null;
    reads: ("answers" | "spans" | "relevance" | "support" | "contradiction")[] | null;
    reason: string | null;
    revision: string | null;
    root: string | null;
    state: "loading" | "ready" | "not_answering" | "failed" | null;
    target_kinds: ("chat" | "embedding" | "rerank" | "reading" | "classification" | "rag" | "agent" | "prompt")[] | null;
    tenant: string | null;
    tool_protocol: "native" | "constrained" | null;
    tuned: TunedFrom | null;
    unrelated_cosine: number;
  };
  type ModelList = {
    data: ModelInfo[];
    object: "list";
  };
  type ModelPrice = {
    cached_prompt_usd_per_million: string | null;
    completion_usd_per_million: string;
    prompt_usd_per_million: string;
    tiers: PriceTier[];
    training_usd_per_million: string;
  };
  type ModelPull = {
    default?: boolean | null;
    engine?: string | null;
    kind?: string | null;
    model: string;
    source: Record<string, unknown>;
    [more: string]: unknown;
  };
  type Moderated = {
    categories: Record<string, boolean>;
    category_applied_input_types: Record<string, "text"[]>;
    category_scores: Record<string, number>;
    flagged: boolean;
  };
  type ModerationPart = {
    text: string;
    type: "text";
  };
  type ModerationReply = {
    id: string;
    model: string;
    results: Moderated[];
  };
  type ModerationRequest = {
    input: string | string[] | ModerationPart[];
    model?: string;
  };
  type ModerationRules = {
    categories: Record<string, string>;
    threshold: number;
  };
  type Monitor = {
    baseline_days: number;
    collection: string | null;
    created_at: string;
    falls: MonitorFall[];
    figures: Record<string, MonitorFigure>;
    judge: MonitorJudge | null;
    key_id: string;
    metrics: Record<string, number | null>;
    model: string | null;
    name: string;
    p: number;
    sample_percent: string;
    verdicts: MonitorVerdicts | null;
    window: string | null;
    window_hours: number;
  };
  type MonitorCreate = {
    baseline_days?: number;
    collection?: string | null;
    judge?: MonitorJudgeInput | null;
    metrics?: Record<string, number | null>;
    model?: string | null;
    name: string;
    p?: number;
    sample_percent?: number | string;
    window_hours?: number;
  };
  type MonitorFall = {
    at: string;
    expected: number;
    metric: "rating" | "support" | "abstention" | "error_rate" | "cost_usd" | "latency_ms" | "judge_right";
    p: number;
    value: number;
    window: string;
  };
  type MonitorFigure = {
    answers: number;
    baseline_people: number | null;
    expected: number | null;
    high: number | null;
    low: number | null;
    p: number | null;
    people: number;
    state: "waiting" | "steady" | "fallen";
    value: number | null;
  };
  type MonitorJudge = {
    budget_usd: string | null;
    model: string;
    most: number;
    rubric: string;
    sample_percent: string;
  };
  type MonitorJudgeInput = {
    budget_usd?: number | string | null;
    model: string;
    most?: number;
    rubric?: string;
    sample_percent?: number | string;
  };
  type MonitorVerdicts = {
    cost_usd: string | null;
    error: string | null;
    failed: number;
    limited: "most" | "budget_usd" | null;
    rated: RatedVerdicts;
    right: number;
    waits: boolean;
    wrong: number;
  };
  type Neighbour = {
    chunk_id: string;
    end: number;
    heading_path: string[];
    page: number | null;
    start: number;
    text: string;
  };
  type NewMessage = {
    annotations?: (Record<string, JsonValue>)[] | null;
    content: string;
    groundwork?: Record<string, JsonValue> | null;
    metadata?: Record<string, JsonValue> | null;
    role: "user" | "assistant";
  };
  type NotPublished = {
    code: string;
    message: string;
  };
  type PartState = {
    detail: string;
    ms: number;
    ok: boolean;
  };
  type PendingToolCall = {
    arguments: Record<string, unknown>;
    id: string;
    name: string;
    parameters: Record<string, unknown> | null;
    reason: "approval" | "outcome_unknown";
  };
  type PlainTool = {
    type: "calculator" | "current_time" | "plan" | "search_history";
  };
  type Preference = {
    preferred: string;
    rejected: string;
  };
  type PriceTier = {
    above_prompt_tokens: number;
    cached_prompt_usd_per_million: string | null;
    completion_usd_per_million: string;
    prompt_usd_per_million: string;
  };
  type Prompt = {
    created_at: string;
    description: string;
    examples: PromptExample[];
    key_id: string | null;
    labels: PromptLabel[];
    messages: PromptMessage[];
    model: string;
    name: string;
    nearest: number | null;
    newest: number;
    output_schema: Record<string, JsonValue> | null;
    packaged: boolean;
    parameters: PromptParameters;
    tools: (Record<string, unknown>)[];
    updated_at: string;
    variables: Record<string, unknown>;
    version: number;
    withheld: boolean;
  };
  type PromptCreate = {
    description?: string;
    examples?: Partial<PromptExample>[];
    label?: string | null;
    messages: Partial<PromptMessage>[];
    model?: string;
    name: string;
    nearest?: number | null;
    output_schema?: Record<string, JsonValue> | null;
    parameters?: PromptParametersInput;
    tools?: (Record<string, unknown>)[];
    variables?: Record<string, unknown>;
  };
  type PromptExample = {
    input: string;
    output: string;
  };
  type PromptInstructions = {
    prompt: string;
    variables: Record<string, boolean | number | string>;
  };
  type PromptLabel = {
    label: string;
    previous: number | null;
    version: number;
  };
  type PromptMessage = {
    content: string;
    role: "system" | "developer" | "user" | "assistant";
  };
  type PromptParameters = {
    frequency_penalty: number | null;
    max_tokens: number | null;
    presence_penalty: number | null;
    reasoning_effort: string | null;
    seed: number | null;
    stop: string[] | null;
    temperature: number | null;
    top_p: number | null;
  };
  type PromptParametersInput = {
    frequency_penalty?: number | null;
    max_tokens?: number | null;
    presence_penalty?: number | null;
    reasoning_effort?: string | null;
    seed?: number | null;
    stop?: string[] | null;
    temperature?: number | null;
    top_p?: number | null;
  };
  type PromptRender = {
    label?: string | null;
    question?: string | null;
    variables?: Record<string, boolean | number | string>;
    version?: number | null;
  };
  type PromptSummary = {
    created_at: string;
    description: string;
    key_id: string | null;
    labels: PromptLabel[];
    model: string;
    name: string;
    newest: number;
    packaged: boolean;
    updated_at: string;
    variables: Record<string, PromptVariable>;
    version: number;
  };
  type PromptUse = {
    id: string;
    variables?: Record<string, boolean | number | string> | null;
    version?: string | null;
  };
  type PromptVariable = {
    default: boolean | number | string | null;
    description: string;
    type: "string" | "integer" | "number" | "boolean";
  };
  type PromptVariableInput = {
    default?: boolean | number | string | null;
    description?: string;
    type?: "string" | "integer" | "number" | "boolean";
  };
  type Pull = {
    bytes_done: number;
    bytes_total: number | null;
    created_at: string;
    error: Failure | null;
    finished_at: string | null;
    id: string;
    model: string;
    object: "model.pull";
    source: Record<string, unknown>;
    started_at: string | null;
    status: "queued" | "running" | "ready" | "failed" | "cancelled";
    waiting_on: string | null;
  };
  type PullList = {
    data: Pull[];
    object: "list";
  };
  type QuestionFile = {
    format: "jsonl" | "messages" | "preference" | "csv" | "beir";
    judgements?: string | null;
    name?: string;
    text: string;
  };
  type QuestionItem = {
    answerable?: boolean | null;
    answers?: string[];
    documents?: Record<string, number>;
    id?: string | null;
    labels?: string[];
    metadata?: Record<string, JsonValue>;
    preferences?: Partial<Preference>[];
    question?: string | null;
    split?: string | null;
    turns?: TurnInput[] | null;
  };
  type QuestionRecord = {
    answerable: boolean | null;
    answers: string[];
    documents: Record<string, number>;
    id: string;
    labels: string[];
    metadata: Record<string, JsonValue>;
    preferences: Preference[];
    question: string | null;
    split: string | null;
    turns: Turn[] | null;
  };
  type QuestionSet = {
    answerable: number;
    created_at: string;
    description: string;
    digest: string;
    key_id: string;
    labels: Record<string, number>;
    name: string;
    newest: number;
    questions: number;
    skipped: SkippedQuestion[];
    splits: Record<string, number>;
    unanswerable: number;
    updated_at: string;
    version: number;
  };
  type QuestionSetCreate = {
    append?: boolean;
    description?: string | null;
    duplicates?: "refuse" | "skip";
    file?: QuestionFile | null;
    items?: QuestionItem[] | null;
    name: string;
    remove?: string[];
  };
  type Range = {
    gt?: number | null;
    gte?: number | null;
    lt?: number | null;
    lte?: number | null;
  };
  type RatedVerdicts = {
    agreed: number;
    answers: number;
    enough: boolean;
    high: number | null;
    kappa: number | null;
    low: number | null;
  };
  type ReadDocumentTool = {
    collections: string[] | null;
    type: "read_document";
  };
  type ReadDocumentToolInput = {
    collections?: string[] | null;
    type: "read_document";
  };
  type ReadingHyperparameters = {
    batch_size?: "auto" | number;
    form?: "correction" | "lora";
    l2?: "auto" | number;
    learning_rate_multiplier?: "auto" | number;
    n_epochs?: "auto" | number;
    rank?: number;
    schedule?: "cosine" | "linear" | "constant";
  };
  type ReadingMethod = {
    collection?: string | null;
    hyperparameters?: ReadingHyperparameters;
  };
  type ReasoningOptions = {
    context?: string | null;
    effort?: string | null;
    generate_summary?: string | null;
    summary?: string | null;
  };
  type Receipt = {
    adapter: string | null;
    attempts: Attempt[];
    cache: "hit" | "miss" | "bypass";
    collection_revisions: Record<string, number>;
    cost_usd: string | null;
    degraded: string[];
    fingerprints: Record<string, string>;
    guardrails: GuardDecision[];
    instructions: string | null;
    model: string | null;
    model_digest: string | null;
    prompt: string | null;
    queries: string[];
    request_id: string;
    stages: StageTime[];
    tokens: TokenCounts;
    trace_id: string | null;
    variant: Variant | null;
  };
  type RecordSummary = {
    abstained: boolean;
    answer: string | null;
    answered_by: string | null;
    at: string;
    cache: "hit" | "miss" | "bypass";
    collections: string[];
    error_type: string | null;
    id: string;
    key_id: string;
    mode: "off" | "metadata" | "full";
    model: string;
    ms: number;
    prompt: string | null;
    question: string | null;
    rating: number | null;
    status: number;
    streamed: boolean;
    user: string | null;
    variant: string | null;
  };
  type RecordedError = {
    code: string;
    message: string;
  };
  type RecordedHit = {
    chunk_id: string;
    cited: boolean;
    collection: string;
    document_id: string;
    end: number | null;
    number: number | null;
    page: number | null;
    revision: number;
    score: number | null;
    start: number | null;
    text: string | null;
    title: string | null;
  };
  type RecordsDeleted = {
    deleted: number;
  };
  type Refused = {
    error: ErrorBody;
  };
  type ReindexAccepted = {
    job: Job;
  };
  type ReindexRequest = {
    chunking?: ChunkingInput | null;
    embedding_model?: string | null;
    language?: string | null;
    switch?: boolean | null;
    vectors?: Partial<VectorOptions> | null;
  };
  type RenderedPrompt = {
    degraded: string[];
    messages: PromptMessage[];
    model: string;
    name: string;
    parameters: PromptParameters;
    response_format: Record<string, unknown> | null;
    tools: (Record<string, unknown>)[];
    version: number;
  };
  type ReplayedFrom = {
    after: number;
    run_id: string;
    thread_id: string;
  };
  type RerankDocument = {
    text: string;
  };
  type RerankMethod = {
    collection?: string | null;
    hyperparameters?: ReadingHyperparameters;
  };
  type RerankReply = {
    id: string;
    model: string;
    results: RerankResult[];
    usage: Record<string, unknown>;
  };
  type RerankRequest = {
    documents: (string | Record<string, unknown>)[];
    model?: string;
    query: string;
    rank_fields?: "text"[] | null;
    return_documents?: boolean | null;
    top_n?: number | null;
    [more: string]: unknown;
  };
  type RerankResult = {
    document: RerankDocument | null;
    index: number;
    relevance_score: number;
  };
  type Response = {
    background: boolean;
    created_at: number;
    error: Record<string, unknown> | null;
    groundwork: AnswerReport | RunReport | CallReport | null;
    id: string;
    incomplete_details: Record<string, unknown> | null;
    instructions: string | null;
    max_output_tokens: number | null;
    max_tool_calls: number | null;
    metadata: Record<string, string>;
    model: string;
    object: "response";
    output: (Record<string, unknown>)[];
    parallel_tool_calls: boolean;
    previous_response_id: null;
    prompt_cache_key: string | null;
    reasoning: Record<string, unknown>;
    safety_identifier: string | null;
    service_tier: string | null;
    status: "in_progress" | "completed" | "incomplete" | "failed";
    store: boolean;
    temperature: number | null;
    text: Record<string, unknown>;
    tool_choice: unknown;
    tools: (Record<string, unknown>)[];
    top_logprobs: number;
    top_p: number | null;
    truncation: string;
    usage: ResponseUsage | null;
    user: string | null;
  };
  type ResponseEvent = {
    sequence_number: number;
    type: string;
  };
  type ResponseRequest = {
    background?: boolean | null;
    client_metadata?: Record<string, unknown> | null;
    context_management?: (Record<string, unknown>)[] | null;
    conversation?: string | Record<string, unknown> | null;
    groundwork?: AnswerOptions | null;
    include?: string[] | null;
    input?: string | (Record<string, unknown>)[];
    instructions?: string | null;
    max_output_tokens?: number | null;
    max_tool_calls?: number | null;
    metadata?: Record<string, string> | null;
    model: string;
    parallel_tool_calls?: boolean | null;
    previous_response_id?: string | null;
    prompt?: PromptUse | null;
    prompt_cache_key?: string | null;
    prompt_cache_retention?: string | null;
    reasoning?: ReasoningOptions | null;
    safety_identifier?: string | null;
    service_tier?: string | null;
    store?: boolean | null;
    stream?: boolean | null;
    stream_options?: Record<string, unknown> | null;
    temperature?: number | null;
    text?: TextOptions | null;
    tool_choice?: string | Record<string, unknown> | null;
    tools?: (Record<string, unknown>)[] | null;
    top_logprobs?: number | null;
    top_p?: number | null;
    truncation?: string | null;
    user?: string | null;
    [more: string]: unknown;
  };
  type ResponseUsage = {
    input_tokens: number;
    input_tokens_details: Record<string, number>;
    output_tokens: number;
    output_tokens_details: Record<string, number>;
    total_tokens: number;
  };
  type Resume = {
    decisions: Decision[];
  };
  type Review = {
    answer: JudgedAnswer | null;
    answer_id: string;
    created_at: string;
    ended_at: string | null;
    id: string;
    lease_until: string | null;
    reviewer: string | null;
    state: "open" | "leased" | "done" | "skipped";
  };
  type ReviewCreate = {
    answer_ids: string[];
    reviewers?: number;
  };
  type ReviewEnd = {
    user?: string | null;
  };
  type ReviewNext = {
    review: Review | null;
  };
  type ReviewTake = {
    lease_seconds?: number;
    user?: string | null;
  };
  type ReviewsCreated = {
    queued: number;
    unknown: string[];
  };
  type Route = {
    configured: boolean;
    guard: Guard | null;
    name: string;
    on_context_overflow: string[];
    on_error: string[];
    on_refusal: string[];
    shadow: Shadow | null;
    split_by: "key" | "user" | "conversation" | "call";
    targets: RouteTarget[];
    updated_at: string | null;
    upstreams: UpstreamState[];
    version: number | null;
  };
  type RouteSpec = {
    guard: Guard | null;
    on_context_overflow: string[];
    on_error: string[];
    on_refusal: string[];
    shadow: Shadow | null;
    split_by: "key" | "user" | "conversation" | "call";
    targets: RouteTarget[];
  };
  type RouteTarget = {
    groundwork: VariantSettings | null;
    model: string;
    name: string | null;
    weight: number;
  };
  type RouteVersion = {
    activated_at: string;
    active: boolean;
    created_at: string;
    ended_at: string | null;
    ended_by: GuardEnd | null;
    spec: RouteSpec;
    version: number;
  };
  type Run = {
    active_seconds: number;
    agent: string;
    agent_version: number;
    answer: RunAnswer | null;
    attempts: number;
    created_at: string;
    error: Failure | null;
    finished_at: string | null;
    id: string;
    input: string;
    limit: "steps" | "tool_calls" | "tokens" | "cost_usd" | "seconds" | "repeated_calls" | "invalid_output" | null;
    output: string | null;
    pending_tool_calls: PendingToolCall[];
    prompt: string | null;
    replayed_from: ReplayedFrom | null;
    started_at: string | null;
    status: "queued" | "running" | "waiting_approval" | "completed" | "failed" | "cancelled" | "limit_reached";
    steps: number;
    thread_id: string;
    tool_calls: number;
    usage: RunUsage;
    user: string | null;
    waiting_on: string | null;
  };
  type RunAnswer = {
    annotations: (Record<string, unknown>)[];
    answer_kind: "generated" | "extractive" | "abstained";
    grounded: boolean;
  };
  type RunCreate = {
    agent: string;
    input: string;
    stream?: boolean;
    user?: string | null;
  };
  type RunReplay = {
    after: number;
    agent_version?: number | "current" | null;
    input?: string | null;
    stream?: boolean;
    user?: string | null;
  };
  type RunReport = {
    agent: string;
    agent_version: number;
    answer: RunAnswer | null;
    degraded: string[];
    limit: "steps" | "tool_calls" | "tokens" | "cost_usd" | "seconds" | "repeated_calls" | "invalid_output" | null;
    pending_tool_calls: PendingToolCall[];
    prompt: string | null;
    run_id: string;
    status: "queued" | "running" | "waiting_approval" | "completed" | "failed" | "cancelled" | "limit_reached";
    steps: number;
    thread_id: string;
    tool_calls: number;
    usage: RunUsage;
  };
  type RunUsage = {
    completion_tokens: number;
    cost_usd: string | null;
    model_calls: number;
    prompt_tokens: number;
    total_tokens: number;
  };
  type Scores = {
    dense: number | null;
    fused: number | null;
    rerank: number | null;
    sparse: number | null;
  };
  type SearchDocumentsTool = {
    collections: string[] | null;
    limit: number;
    type: "search_documents";
  };
  type SearchDocumentsToolInput = {
    collections?: string[] | null;
    limit?: number;
    type: "search_documents";
  };
  type SearchOptions = {
    filter?: Filter | null;
    generation?: number | null;
    group_by?: "document" | null;
    limit?: number;
    min_score?: number | null;
    mode?: "hybrid" | "dense" | "sparse" | null;
    neighbours?: number;
    offset?: number;
    query: string;
    rerank?: boolean | null;
    rerank_model?: string | null;
  };
  type SearchReply = {
    abstain: "model" | "reader" | "never" | null;
    collection_revision: number;
    collection_revisions: Record<string, number>;
    degraded: string[];
    hits: Hit[];
    timings: Record<string, number>;
    unrelated_cosine: number;
    usage: SearchUsage;
  };
  type SearchUsage = {
    embedding_model: string | null;
    embedding_tokens: number;
    embeddings: Record<string, number>;
    rerank_model: string | null;
    rerank_tokens: number;
  };
  type Session = {
    csrf_token: string;
    expires_at: string;
  };
  type SessionToken = {
    expires_at: string;
    token: string;
  };
  type Shadow = {
    groundwork: VariantSettings | null;
    key_id: string;
    model: string;
    name: string;
    share: number;
  };
  type ShadowIndex = {
    chunking: Chunking;
    dimensions: number;
    embedding_model: string;
    generation: number;
    layout: number;
    max_input_tokens: number;
  };
  type SkippedQuestion = {
    id: string;
    like: string;
  };
  type Source = {
    chunk_id: string;
    collection: string;
    document_id: string;
    end: number;
    number: number;
    page: number | null;
    revision: number;
    score: number;
    source: string;
    start: number;
    text: string;
    title: string;
  };
  type StageTime = {
    ms: number;
    name: string;
  };
  type StreamOptions = {
    include_usage?: boolean;
    [more: string]: unknown;
  };
  type SummaryRequest = {
    model?: string | null;
    sentences?: number | null;
  };
  type SupervisedHyperparameters = {
    batch_size?: "auto" | number;
    learning_rate_multiplier?: "auto" | number;
    max_tokens?: number;
    n_epochs?: "auto" | number;
    rank?: number;
    schedule?: "cosine" | "linear" | "constant";
  };
  type SupervisedMethod = {
    hyperparameters?: SupervisedHyperparameters;
  };
  type Tenant = {
    budgets: Budget[];
    created_at: string;
    deleting: boolean;
    feedback_labels: string[];
    limits: Limits;
    name: string;
    records: "off" | "metadata" | "full";
    records_days: number;
  };
  type TenantCreate = {
    budgets?: BudgetInput[];
    limits?: Partial<Limits>;
    name: string;
    records?: "off" | "metadata" | "full";
    records_days?: number;
  };
  type TenantDeletion = {
    job: Job;
  };
  type TenantPatch = {
    budgets?: BudgetInput[] | null;
    feedback_labels?: string[] | null;
    limits?: Partial<Limits> | null;
    records?: "off" | "metadata" | "full" | null;
    records_days?: number | null;
  };
  type TextCompletion = {
    choices: CompletionChoice[];
    created: number;
    id: string;
    model: string;
    object: "text_completion";
    usage: ChatUsage | null;
  };
  type TextGuards = {
    pii: "off" | "flag" | "redact" | "block";
    secrets: "off" | "flag" | "redact" | "block";
  };
  type TextOptions = {
    format?: Record<string, unknown> | null;
    verbosity?: string | null;
  };
  type TextPart = {
    text?: string | null;
    type: string;
    [more: string]: unknown;
  };
  type Thread = {
    created_at: string;
    id: string;
    messages: number;
    metadata: Record<string, unknown>;
    revision: number;
    summarised: number;
    updated_at: string;
  };
  type ThreadChange = {
    metadata: Record<string, JsonValue>;
  };
  type ThreadCreate = {
    metadata?: Record<string, JsonValue>;
  };
  type TokenCounts = {
    completion: number;
    embedding: number;
    prompt: number;
    reading: number;
    rerank: number;
  };
  type TokenizeReply = {
    count: number;
    max_model_len: number | null;
    token_strs: string[] | null;
    tokens: number[];
  };
  type TokenizeRequest = {
    add_generation_prompt?: boolean;
    add_special_tokens?: boolean | null;
    chat_template_kwargs?: Record<string, unknown> | null;
    messages?: Message[] | null;
    model?: string;
    prompt?: string | null;
    return_token_strs?: boolean;
    tools?: (Record<string, unknown>)[] | null;
  };
  type ToolCall = {
    arguments: Record<string, unknown>;
    id: string;
    name: string;
  };
  type Trial = {
    answers: boolean;
    applied: AppliedTrial | null;
    budget_usd: string | null;
    candidates: TrialCandidate[];
    choose_questions: number;
    choose_split: string | null;
    collection: string;
    confirm_questions: number;
    confirm_split: string | null;
    confirmation: TrialConfirmation | null;
    cost_usd: string | null;
    created_at: string;
    done: number;
    error: Failure | null;
    finished_at: string | null;
    id: string;
    index_job: string | null;
    key_id: string;
    may_apply: boolean;
    measure: string;
    question_set: string;
    questions: number;
    started_at: string | null;
    status: "queued" | "running" | "completed" | "failed" | "cancelled" | "limit_reached";
    verdict: string;
    version: number;
    waiting_on: string | null;
  };
  type TrialCandidate = {
    against: MeasureComparison[];
    cost_usd: string | null;
    degraded: Record<string, number>;
    error: Failure | null;
    evaluation: string | null;
    figures: Record<string, EvaluationFigure>;
    number: number;
    settings: Combination;
    status: "queued" | "running" | "completed" | "failed" | "cancelled" | "limit_reached" | null;
    words: string;
  };
  type TrialConfirmation = {
    evaluation: string;
    measures: MeasureComparison[];
    number: number;
    served_evaluation: string;
  };
  type TrialCreate = {
    answers?: boolean;
    budget_usd?: number | string | null;
    choose_split?: string | null;
    collection: string;
    confirm_split?: string | null;
    measure?: "retrieval_ndcg_10" | "retrieval_recall_10" | "answer_found" | "answer_f1";
    question_set: string;
    settings: TrialSettings;
    version?: number | null;
  };
  type TrialSettings = {
    chunk_size?: number[] | null;
    embedding_model?: string[] | null;
    mode?: ("hybrid" | "dense" | "sparse")[] | null;
    rerank?: boolean[] | null;
    rerank_model?: string[] | null;
  };
  type TunedFrom = {
    digest: string;
    figures: Record<string, number>;
    job: string;
    method: string;
    parent: string;
    parent_digest: string | null;
    stage: "candidate" | "published";
    training_set: string;
    verdict: string | null;
  };
  type TuningMethod = {
    classification?: ClassificationMethod;
    dpo?: DpoMethod;
    embedding?: EmbeddingMethod;
    reading?: ReadingMethod;
    rerank?: RerankMethod;
    supervised?: SupervisedMethod;
    type?: string;
  };
  type TuningOptions = {
    general_file?: string | null;
    leaks?: "refuse" | "skip";
    publish?: boolean;
    sensitive?: "mask" | "refuse" | "keep";
  };
  type TuningReport = {
    artifact: string | null;
    artifact_bytes: number;
    base: string | null;
    card: DatasetCard | null;
    done: number;
    figures: Record<string, number>;
    general: string | null;
    kind: "chat" | "embedding" | "rerank" | "reading" | "classification" | "rag" | "agent" | "prompt";
    not_published: NotPublished | null;
    parity: string | null;
    steps: number;
    verdict: "better" | "worse" | "no difference" | null;
    waiting_on: string | null;
    words: string | null;
  };
  type Turn = {
    content: string;
    role: "system" | "user" | "assistant";
  };
  type TurnInput = {
    content: string;
    role: "system" | "user" | "assistant";
  };
  type UpstreamState = {
    circuit: "closed" | "half_open" | "open";
    failures: number;
    known: boolean;
    latency_ms: number | null;
    model: string;
    ready: boolean | null;
    requests: number;
  };
  type UrlCitation = {
    end_index: number;
    start_index: number;
    title: string;
    url: string;
  };
  type UsageRow = {
    cache_hits: number;
    cached_tokens: number;
    completion_tokens: number;
    cost_usd: string | null;
    cut_requests: number;
    embedding_tokens: number;
    errors: number;
    estimated_requests: number;
    group: string;
    prompt_tokens: number;
    reasoning_tokens: number;
    requests: number;
    unpriced_requests: number;
  };
  type Variant = {
    name: string;
    route: string;
    version: number;
  };
  type VariantFigures = {
    calls: number;
    is_baseline: boolean;
    is_shadow: boolean;
    measures: Record<string, Figure>;
    model: string;
    name: string;
    units: number;
    weight: number;
  };
  type VariantSettings = {
    abstain: "model" | "reader" | "never" | null;
    filter: null;
    generation: number | null;
    grounding: "strict" | "annotate" | "off" | null;
    include: null;
    mode: "hybrid" | "dense" | "sparse" | null;
    model: string | null;
    prompt: string | null;
    reader: string | null;
    rerank: boolean | null;
    rerank_model: string | null;
    rewrite: "follow_up" | "several" | "hypothetical" | null;
    style: "short" | "detailed" | null;
    top_k: number | null;
    variables: null;
  };
  type VectorOptions = {
    on_disk: boolean;
    quantization: "none" | "scalar" | "binary";
  };
  type WorstAnswer = {
    at: string;
    model: string;
    reason: string | null;
    record: string;
    value: number;
  };
  interface Call {
    (method: "DELETE", path: readonly ["agents", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["cache"], options?: Options<Partial<Record<"tenant", unknown>>, never>): Promise<null>;
    (method: "DELETE", path: readonly ["collections", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["collections", string, "documents", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["evaluations", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["feedback"], options?: Options<Partial<Record<"user" | "answer_id", unknown>>, never>): Promise<FeedbackDeleted>;
    (method: "DELETE", path: readonly ["feedback", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["fine_tuning", "jobs", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["keys", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["models", "pull", string], options?: Options<{}, never>): Promise<Pull>;
    (method: "DELETE", path: readonly ["models", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["monitors", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["prompts", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["prompts", string, "labels", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["prompts", string, "versions", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["question-sets", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["question-sets", string, "generations", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["question-sets", string, "versions", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["records"], options?: Options<Partial<Record<"user", unknown>>, never>): Promise<RecordsDeleted>;
    (method: "DELETE", path: readonly ["records", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["reviews", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["routes", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["session"], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["sweeps", string], options?: Options<{}, never>): Promise<null>;
    (method: "DELETE", path: readonly ["tenants", string], options?: Options<{}, never>): Promise<TenantDeletion>;
    (method: "DELETE", path: readonly ["threads", string], options?: Options<{}, never>): Promise<null>;
    (method: "GET", path: readonly ["agents"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: Agent[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["agents", string], options?: Options<{}, never>): Promise<Agent>;
    (method: "GET", path: readonly ["agents", string, "versions"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: Agent[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["audit"], options?: Options<Partial<Record<"limit" | "cursor" | "subject", unknown>>, never>): Promise<{ data: AuditEntry[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["collections"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: Collection[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["collections", string], options?: Options<{}, never>): Promise<Collection>;
    (method: "GET", path: readonly ["collections", string, "documents"], options?: Options<Partial<Record<"status" | "q" | "limit" | "cursor", unknown>>, never>): Promise<{ data: Document[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["collections", string, "documents", string], options?: Options<{}, never>): Promise<Document>;
    (method: "GET", path: readonly ["collections", string, "documents", string, "chunks"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: DocumentChunk[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["collections", string, "documents", string, "revisions"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: DocumentRevision[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["evaluations"], options?: Options<Partial<Record<"question_set" | "status" | "limit" | "cursor", unknown>>, never>): Promise<{ data: Evaluation[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["evaluations", string], options?: Options<{}, never>): Promise<Evaluation>;
    (method: "GET", path: readonly ["evaluations", string, "answers"], options?: Options<Partial<Record<"measure" | "with" | "limit" | "cursor", unknown>>, never>): Promise<{ data: EvaluationAnswer[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["evaluations", string, "compare"], options?: Options<Partial<Record<"with", unknown>>, never>): Promise<EvaluationComparison>;
    (method: "GET", path: readonly ["experiments", string], options?: Options<Partial<Record<"version", unknown>>, never>): Promise<Experiment>;
    (method: "GET", path: readonly ["feedback"], options?: Options<Partial<Record<"answer_id" | "user" | "rating" | "label" | "model" | "collection" | "mine" | "from" | "to" | "limit" | "cursor", unknown>>, never>): Promise<{ data: Feedback[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["feedback", "agreement"], options?: Options<Partial<Record<"user" | "other", unknown>>, never>): Promise<{ data: Agreement[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["feedback", "comparisons"], options?: Options<Partial<Record<"model" | "other" | "by" | "from" | "to", unknown>>, never>): Promise<{ data: BlindComparison[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["feedback", "labels"], options?: Options<{}, never>): Promise<FeedbackLabels>;
    (method: "GET", path: readonly ["fine_tuning", "jobs"], options?: Options<Partial<Record<"after" | "limit", unknown>>, never>): Promise<FineTuningJobs>;
    (method: "GET", path: readonly ["fine_tuning", "jobs", string], options?: Options<{}, never>): Promise<FineTuningJob>;
    (method: "GET", path: readonly ["fine_tuning", "jobs", string, "checkpoints"], options?: Options<Partial<Record<"after" | "limit", unknown>>, never>): Promise<FineTuningCheckpoints>;
    (method: "GET", path: readonly ["fine_tuning", "jobs", string, "events"], options?: Options<Partial<Record<"after" | "limit", unknown>>, never>): Promise<FineTuningEvents>;
    (method: "GET", path: readonly ["jobs"], options?: Options<Partial<Record<"status" | "collection" | "limit" | "cursor", unknown>>, never>): Promise<{ data: Job[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["jobs", string], options?: Options<{}, never>): Promise<Job>;
    (method: "GET", path: readonly ["keys"], options?: Options<Partial<Record<"limit" | "cursor" | "tenant", unknown>>, never>): Promise<{ data: Key[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["keys", string], options?: Options<{}, never>): Promise<Key>;
    (method: "GET", path: readonly ["me"], options?: Options<{}, never>): Promise<Me>;
    (method: "GET", path: readonly ["models"], options?: Options<{}, never>): Promise<ModelList>;
    (method: "GET", path: readonly ["models", "pull"], options?: Options<{}, never>): Promise<PullList>;
    (method: "GET", path: readonly ["models", "pull", string], options?: Options<{}, never>): Promise<Pull>;
    (method: "GET", path: readonly ["models", string], options?: Options<{}, never>): Promise<ModelInfo>;
    (method: "GET", path: readonly ["monitors"], options?: Options<{}, never>): Promise<{ data: Monitor[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["monitors", string], options?: Options<{}, never>): Promise<Monitor>;
    (method: "GET", path: readonly ["monitors", string, "worst"], options?: Options<Partial<Record<"metric" | "limit", unknown>>, never>): Promise<{ data: WorstAnswer[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["prompts"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: PromptSummary[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["prompts", string], options?: Options<{}, never>): Promise<Prompt>;
    (method: "GET", path: readonly ["prompts", string, "versions"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: Prompt[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["prompts", string, "versions", string], options?: Options<{}, never>): Promise<Prompt>;
    (method: "GET", path: readonly ["question-sets"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: QuestionSet[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["question-sets", string], options?: Options<{}, never>): Promise<QuestionSet>;
    (method: "GET", path: readonly ["question-sets", string, "generations"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: Generation[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["question-sets", string, "generations", string], options?: Options<{}, never>): Promise<Generation>;
    (method: "GET", path: readonly ["question-sets", string, "generations", string, "items"], options?: Options<Partial<Record<"state" | "limit" | "cursor", unknown>>, never>): Promise<{ data: GeneratedQuestion[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["question-sets", string, "versions"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: QuestionSet[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["question-sets", string, "versions", string], options?: Options<{}, never>): Promise<QuestionSet>;
    (method: "GET", path: readonly ["question-sets", string, "versions", string, "items"], options?: Options<Partial<Record<"split" | "limit" | "cursor", unknown>>, never>): Promise<{ data: QuestionRecord[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["records"], options?: Options<Partial<Record<"limit" | "cursor" | "from" | "to" | "collection" | "model" | "user" | "rating" | "abstained" | "error" | "q", unknown>>, never>): Promise<{ data: RecordSummary[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["records", string], options?: Options<{}, never>): Promise<AnswerRecord>;
    (method: "GET", path: readonly ["reviews"], options?: Options<Partial<Record<"state" | "answer_id" | "limit" | "cursor", unknown>>, never>): Promise<{ data: Review[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["routes"], options?: Options<{}, never>): Promise<{ data: Route[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["routes", string, "versions"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: RouteVersion[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["runs"], options?: Options<Partial<Record<"limit" | "cursor" | "agent" | "status", unknown>>, never>): Promise<{ data: Run[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["sweeps"], options?: Options<Partial<Record<"collection" | "limit" | "cursor", unknown>>, never>): Promise<{ data: Trial[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["sweeps", string], options?: Options<{}, never>): Promise<Trial>;
    (method: "GET", path: readonly ["tenants"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: Tenant[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["tenants", string], options?: Options<{}, never>): Promise<Tenant>;
    (method: "GET", path: readonly ["threads"], options?: Options<Partial<Record<"limit" | "cursor" | "mine", unknown>>, never>): Promise<{ data: Thread[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["threads", string], options?: Options<{}, never>): Promise<Thread>;
    (method: "GET", path: readonly ["threads", string, "history"], options?: Options<Partial<Record<"limit" | "cursor" | "run_id", unknown>>, never>): Promise<{ data: HistoryMessage[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["threads", string, "runs"], options?: Options<Partial<Record<"limit" | "cursor", unknown>>, never>): Promise<{ data: Run[]; next_cursor: string | null }>;
    (method: "GET", path: readonly ["threads", string, "runs", string], options?: Options<{}, never>): Promise<Run>;
    (method: "GET", path: readonly ["usage"], options?: Options<Partial<Record<"group_by" | "from" | "to" | "tenant", unknown>>, never>): Promise<{ data: UsageRow[]; next_cursor: string | null }>;
    (method: "PATCH", path: readonly ["collections", string], options?: Options<{}, CollectionChange>): Promise<Collection>;
    (method: "PATCH", path: readonly ["keys", string], options?: Options<{}, KeyPatch>): Promise<Key>;
    (method: "PATCH", path: readonly ["tenants", string], options?: Options<{}, TenantPatch>): Promise<Tenant>;
    (method: "PATCH", path: readonly ["threads", string], options?: Options<{}, ThreadChange>): Promise<Thread>;
    (method: "POST", path: readonly ["agents"], options?: Options<{}, AgentCreate>): Promise<Agent>;
    (method: "POST", path: readonly ["agents", string, "versions", string, "activate"], options?: Options<{}, never>): Promise<Agent>;
    (method: "POST", path: readonly ["chat", "completions"], options?: Options<{}, ChatRequest>): Promise<ChatCompletion>;
    (method: "POST", path: readonly ["classify"], options?: Options<{}, ClassifyRequest>): Promise<ClassifyReply>;
    (method: "POST", path: readonly ["collections"], options?: Options<{}, CollectionCreate>): Promise<Collection>;
    (method: "POST", path: readonly ["collections", string, "documents"], options?: Options<{}, DocumentCreate>): Promise<Accepted>;
    (method: "POST", path: readonly ["collections", string, "documents", string, "summary"], options?: Options<{}, SummaryRequest>): Promise<DocumentSummary>;
    (method: "POST", path: readonly ["collections", string, "documents:batch"], options?: Options<{}, DocumentBatch>): Promise<BatchReply>;
    (method: "POST", path: readonly ["collections", string, "documents:restore"], options?: Options<{}, never>): Promise<Accepted>;
    (method: "POST", path: readonly ["collections", string, "reindex"], options?: Options<{}, ReindexRequest>): Promise<ReindexAccepted>;
    (method: "POST", path: readonly ["collections", string, "search"], options?: Options<{}, SearchOptions>): Promise<SearchReply>;
    (method: "POST", path: readonly ["completions"], options?: Options<{}, CompletionRequest>): Promise<TextCompletion>;
    (method: "POST", path: readonly ["detokenize"], options?: Options<{}, DetokenizeRequest>): Promise<DetokenizeReply>;
    (method: "POST", path: readonly ["embeddings"], options?: Options<{}, EmbeddingRequest>): Promise<EmbeddingReply>;
    (method: "POST", path: readonly ["evaluations"], options?: Options<{}, EvaluationCreate>): Promise<Evaluation>;
    (method: "POST", path: readonly ["evaluations", string, "cancel"], options?: Options<{}, never>): Promise<Evaluation>;
    (method: "POST", path: readonly ["feedback"], options?: Options<{}, FeedbackCreate>): Promise<Feedback>;
    (method: "POST", path: readonly ["fine_tuning", "jobs"], options?: Options<{}, FineTuningCreate>): Promise<FineTuningJob>;
    (method: "POST", path: readonly ["fine_tuning", "jobs", string, "cancel"], options?: Options<{}, never>): Promise<FineTuningJob>;
    (method: "POST", path: readonly ["fine_tuning", "jobs", string, "publish"], options?: Options<{}, never>): Promise<FineTuningJob>;
    (method: "POST", path: readonly ["jobs", string, "cancel"], options?: Options<{}, never>): Promise<Job>;
    (method: "POST", path: readonly ["jobs", string, "retry"], options?: Options<{}, never>): Promise<Job>;
    (method: "POST", path: readonly ["keys"], options?: Options<{}, KeyCreate>): Promise<KeyCreated>;
    (method: "POST", path: readonly ["keys", string, "rotate"], options?: Options<{}, KeyRotate | null>): Promise<KeyCreated>;
    (method: "POST", path: readonly ["models", "pull"], options?: Options<{}, ModelPull>): Promise<Pull>;
    (method: "POST", path: readonly ["moderations"], options?: Options<{}, ModerationRequest>): Promise<ModerationReply>;
    (method: "POST", path: readonly ["monitors"], options?: Options<{}, MonitorCreate>): Promise<Monitor>;
    (method: "POST", path: readonly ["prompts"], options?: Options<{}, PromptCreate>): Promise<Prompt>;
    (method: "POST", path: readonly ["prompts", string, "render"], options?: Options<{}, PromptRender>): Promise<RenderedPrompt>;
    (method: "POST", path: readonly ["question-sets"], options?: Options<{}, QuestionSetCreate>): Promise<QuestionSet>;
    (method: "POST", path: readonly ["question-sets", string, "generate"], options?: Options<{}, GenerationCreate>): Promise<Generation>;
    (method: "POST", path: readonly ["question-sets", string, "generations", string, "cancel"], options?: Options<{}, never>): Promise<Generation>;
    (method: "POST", path: readonly ["question-sets", string, "generations", string, "review"], options?: Options<{}, GenerationReview>): Promise<Generation>;
    (method: "POST", path: readonly ["question-sets", string, "generations", string, "save"], options?: Options<{}, never>): Promise<QuestionSet>;
    (method: "POST", path: readonly ["rerank"], options?: Options<{}, RerankRequest>): Promise<RerankReply>;
    (method: "POST", path: readonly ["responses"], options?: Options<{}, ResponseRequest>): Promise<Response>;
    (method: "POST", path: readonly ["reviews"], options?: Options<{}, ReviewCreate>): Promise<ReviewsCreated>;
    (method: "POST", path: readonly ["reviews", "next"], options?: Options<{}, ReviewTake>): Promise<ReviewNext>;
    (method: "POST", path: readonly ["reviews", string, "done"], options?: Options<{}, ReviewEnd>): Promise<Review>;
    (method: "POST", path: readonly ["reviews", string, "skip"], options?: Options<{}, ReviewEnd>): Promise<Review>;
    (method: "POST", path: readonly ["routes", string, "versions", string, "activate"], options?: Options<{}, never>): Promise<Route>;
    (method: "POST", path: readonly ["session"], options?: Options<{}, never>): Promise<Me>;
    (method: "POST", path: readonly ["session", "token"], options?: Options<{}, never>): Promise<SessionToken>;
    (method: "POST", path: readonly ["sweeps"], options?: Options<{}, TrialCreate>): Promise<Trial>;
    (method: "POST", path: readonly ["sweeps", string, "apply"], options?: Options<{}, never>): Promise<Trial>;
    (method: "POST", path: readonly ["sweeps", string, "cancel"], options?: Options<{}, never>): Promise<Trial>;
    (method: "POST", path: readonly ["sweeps", string, "revert"], options?: Options<{}, never>): Promise<Trial>;
    (method: "POST", path: readonly ["tenants"], options?: Options<{}, TenantCreate>): Promise<Tenant>;
    (method: "POST", path: readonly ["threads"], options?: Options<{}, ThreadCreate>): Promise<Thread>;
    (method: "POST", path: readonly ["threads", string, "messages"], options?: Options<{}, MessagesCreate>): Promise<Thread>;
    (method: "POST", path: readonly ["threads", string, "runs"], options?: Options<{}, RunCreate>): Promise<Run>;
    (method: "POST", path: readonly ["threads", string, "runs", string, "cancel"], options?: Options<{}, never>): Promise<Run>;
    (method: "POST", path: readonly ["threads", string, "runs", string, "replay"], options?: Options<{}, RunReplay>): Promise<Run>;
    (method: "POST", path: readonly ["threads", string, "runs", string, "resume"], options?: Options<{}, Resume>): Promise<Run>;
    (method: "POST", path: readonly ["tokenize"], options?: Options<{}, TokenizeRequest>): Promise<TokenizeReply>;
    (method: "PUT", path: readonly ["models", string], options?: Options<{}, ModelDeclaration>): Promise<ModelInfo>;
    (method: "PUT", path: readonly ["models", string, "default"], options?: Options<{}, never>): Promise<ModelInfo>;
    (method: "PUT", path: readonly ["prompts", string, "labels", string], options?: Options<{}, LabelMove>): Promise<Prompt>;
    (method: "PUT", path: readonly ["routes", string], options?: Options<{}, Partial<RouteSpec>>): Promise<Route>;
  }
  interface All {
    (path: readonly ["agents"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<Agent[]>;
    (path: readonly ["agents", string, "versions"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<Agent[]>;
    (path: readonly ["audit"], query?: Partial<Record<"limit" | "cursor" | "subject", unknown>>, most?: number): Promise<AuditEntry[]>;
    (path: readonly ["collections"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<Collection[]>;
    (path: readonly ["collections", string, "documents"], query?: Partial<Record<"status" | "q" | "limit" | "cursor", unknown>>, most?: number): Promise<Document[]>;
    (path: readonly ["collections", string, "documents", string, "chunks"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<DocumentChunk[]>;
    (path: readonly ["collections", string, "documents", string, "revisions"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<DocumentRevision[]>;
    (path: readonly ["evaluations"], query?: Partial<Record<"question_set" | "status" | "limit" | "cursor", unknown>>, most?: number): Promise<Evaluation[]>;
    (path: readonly ["evaluations", string, "answers"], query?: Partial<Record<"measure" | "with" | "limit" | "cursor", unknown>>, most?: number): Promise<EvaluationAnswer[]>;
    (path: readonly ["feedback"], query?: Partial<Record<"answer_id" | "user" | "rating" | "label" | "model" | "collection" | "mine" | "from" | "to" | "limit" | "cursor", unknown>>, most?: number): Promise<Feedback[]>;
    (path: readonly ["feedback", "agreement"], query?: Partial<Record<"user" | "other", unknown>>, most?: number): Promise<Agreement[]>;
    (path: readonly ["feedback", "comparisons"], query?: Partial<Record<"model" | "other" | "by" | "from" | "to", unknown>>, most?: number): Promise<BlindComparison[]>;
    (path: readonly ["jobs"], query?: Partial<Record<"status" | "collection" | "limit" | "cursor", unknown>>, most?: number): Promise<Job[]>;
    (path: readonly ["keys"], query?: Partial<Record<"limit" | "cursor" | "tenant", unknown>>, most?: number): Promise<Key[]>;
    (path: readonly ["monitors"], query?: {}, most?: number): Promise<Monitor[]>;
    (path: readonly ["monitors", string, "worst"], query?: Partial<Record<"metric" | "limit", unknown>>, most?: number): Promise<WorstAnswer[]>;
    (path: readonly ["prompts"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<PromptSummary[]>;
    (path: readonly ["prompts", string, "versions"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<Prompt[]>;
    (path: readonly ["question-sets"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<QuestionSet[]>;
    (path: readonly ["question-sets", string, "generations"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<Generation[]>;
    (path: readonly ["question-sets", string, "generations", string, "items"], query?: Partial<Record<"state" | "limit" | "cursor", unknown>>, most?: number): Promise<GeneratedQuestion[]>;
    (path: readonly ["question-sets", string, "versions"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<QuestionSet[]>;
    (path: readonly ["question-sets", string, "versions", string, "items"], query?: Partial<Record<"split" | "limit" | "cursor", unknown>>, most?: number): Promise<QuestionRecord[]>;
    (path: readonly ["records"], query?: Partial<Record<"limit" | "cursor" | "from" | "to" | "collection" | "model" | "user" | "rating" | "abstained" | "error" | "q", unknown>>, most?: number): Promise<RecordSummary[]>;
    (path: readonly ["reviews"], query?: Partial<Record<"state" | "answer_id" | "limit" | "cursor", unknown>>, most?: number): Promise<Review[]>;
    (path: readonly ["routes"], query?: {}, most?: number): Promise<Route[]>;
    (path: readonly ["routes", string, "versions"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<RouteVersion[]>;
    (path: readonly ["runs"], query?: Partial<Record<"limit" | "cursor" | "agent" | "status", unknown>>, most?: number): Promise<Run[]>;
    (path: readonly ["sweeps"], query?: Partial<Record<"collection" | "limit" | "cursor", unknown>>, most?: number): Promise<Trial[]>;
    (path: readonly ["tenants"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<Tenant[]>;
    (path: readonly ["threads"], query?: Partial<Record<"limit" | "cursor" | "mine", unknown>>, most?: number): Promise<Thread[]>;
    (path: readonly ["threads", string, "history"], query?: Partial<Record<"limit" | "cursor" | "run_id", unknown>>, most?: number): Promise<HistoryMessage[]>;
    (path: readonly ["threads", string, "runs"], query?: Partial<Record<"limit" | "cursor", unknown>>, most?: number): Promise<Run[]>;
    (path: readonly ["usage"], query?: Partial<Record<"group_by" | "from" | "to" | "tenant", unknown>>, most?: number): Promise<UsageRow[]>;
  }
}
