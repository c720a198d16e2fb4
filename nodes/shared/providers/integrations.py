"""The providers of LangChain's `init_chat_model`, beside those asked without it: packages and keys (pure)."""

from typing import NamedTuple


class Integration(NamedTuple):
    """A provider's integration with LangChain."""

    module: str
    chat_class: str
    key_env: str = ""
    """The variable that holds the key by default; empty where a provider has other ways, or none."""

    @property
    def package(self) -> str:
        """The package to install."""
        return self.module.partition(".")[0].replace("_", "-")


# As `init_chat_model` of langchain 1.5 knows them; a test compares.
INTEGRATIONS: dict[str, Integration] = {
    "anthropic": Integration("langchain_anthropic", "ChatAnthropic", "ANTHROPIC_API_KEY"),
    "anthropic_bedrock": Integration("langchain_aws", "ChatAnthropicBedrock"),
    "azure_ai": Integration("langchain_azure_ai.chat_models", "AzureAIOpenAIApiChatModel"),
    "azure_openai": Integration("langchain_openai", "AzureChatOpenAI", "AZURE_OPENAI_API_KEY"),
    "baseten": Integration("langchain_baseten", "ChatBaseten", "BASETEN_API_KEY"),
    "bedrock": Integration("langchain_aws", "ChatBedrock"),
    "bedrock_converse": Integration("langchain_aws", "ChatBedrockConverse"),
    "bedrock_mantle_anthropic": Integration("langchain_aws", "ChatAnthropicMantle"),
    "bedrock_mantle_openai": Integration("langchain_aws", "ChatOpenAIMantle"),
    "cohere": Integration("langchain_cohere", "ChatCohere", "COHERE_API_KEY"),
    "fireworks": Integration("langchain_fireworks", "ChatFireworks", "FIREWORKS_API_KEY"),
    "google_anthropic_vertex": Integration("langchain_google_vertexai.model_garden", "ChatAnthropicVertex"),
    "google_genai": Integration("langchain_google_genai", "ChatGoogleGenerativeAI", "GOOGLE_API_KEY"),
    "google_vertexai": Integration("langchain_google_vertexai", "ChatVertexAI"),
    "groq": Integration("langchain_groq", "ChatGroq", "GROQ_API_KEY"),
    "huggingface": Integration("langchain_huggingface", "ChatHuggingFace"),
    "ibm": Integration("langchain_ibm", "ChatWatsonx", "WATSONX_API_KEY"),
    "langsmith": Integration("langchain_openai", "ChatOpenAI"),
    "litellm": Integration("langchain_litellm", "ChatLiteLLM"),
    "meta": Integration("langchain_meta", "ChatMetaModel"),
    "mistralai": Integration("langchain_mistralai", "ChatMistralAI", "MISTRAL_API_KEY"),
    "nvidia": Integration("langchain_nvidia_ai_endpoints", "ChatNVIDIA", "NVIDIA_API_KEY"),
    "ollama": Integration("langchain_ollama", "ChatOllama"),
    "openrouter": Integration("langchain_openrouter", "ChatOpenRouter", "OPENROUTER_API_KEY"),
    "perplexity": Integration("langchain_perplexity", "ChatPerplexity", "PPLX_API_KEY"),
    "together": Integration("langchain_together", "ChatTogether", "TOGETHER_API_KEY"),
    "upstage": Integration("langchain_upstage", "ChatUpstage", "UPSTAGE_API_KEY"),
    "xai": Integration("langchain_xai", "ChatXAI", "XAI_API_KEY"),
}
